"""Executes a notebook as a build server does: `comparison.py NOTEBOOK`, no page anywhere."""

import sys

import nbformat
from nbclient import NotebookClient

NotebookClient(nbformat.read(sys.argv[1], as_version=4), allow_errors=True, timeout=60).execute()
