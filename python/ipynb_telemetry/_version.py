"""The version, equal to package.json's and pyproject.toml's; a test compares them."""

__version__ = "0.1.0"
