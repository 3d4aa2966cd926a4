"""Builds an exercise notebook that reports how students get on.

python examples/generate_notebook.py means.ipynb
"""

import json
import sys

from ipynb_telemetry import get_telemetry_setup_cell_node

COURSE = "python-101"
NOTEBOOK = "means"


def markdown(cell_id: str, source: str) -> dict:
    return {"cell_type": "markdown", "id": cell_id, "metadata": {}, "source": source}


def code(cell_id: str, source: str, exercise: str, tags: tuple[str, ...] = ()) -> dict:
    """A code cell of an exercise: its runs are counted under the exercise's name."""
    metadata: dict[str, object] = {"ipynb_telemetry": {"exercise": exercise}}
    if tags:
        metadata["tags"] = list(tags)
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": cell_id,
        "metadata": metadata,
        "outputs": [],
        "source": source,
    }


CELLS = [
    markdown("title", "# Two kinds of average\n\nRun the next cell first: it asks for your name."),
    get_telemetry_setup_cell_node(NOTEBOOK),
    markdown("mean-task", "## 1. The mean\n\nComplete `mean`: the sum, divided by how many."),
    code("mean-code", "def mean(numbers):\n    ...", "mean"),
    # A check that reports by itself: each run is an attempt, passed or not.
    code(
        "mean-check",
        "@tracked_test('mean')\n"
        "def test_mean():\n"
        "    assert mean([2, 4, 9]) == 5, 'The mean of 2, 4 and 9 is 5.'\n"
        "\n"
        "test_mean()",
        "mean",
    ),
    markdown("median-task", "## 2. The median\n\nComplete `median`: the one in the middle."),
    code("median-code", "def median(numbers):\n    ...", "median"),
    # A check without a decorator: the tag says so, and an error in the cell is a failure.
    code(
        "median-check",
        "assert median([1, 9, 5]) == 5, 'The median of 1, 9 and 5 is 5.'",
        "median",
        tags=("test:median",),
    ),
]


def notebook() -> dict:
    return {
        "cells": CELLS,
        "metadata": {
            # Without it the setup cell's id is the notebook's.
            "ipynb_telemetry": {"course": COURSE, "notebook": NOTEBOOK},
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


if __name__ == "__main__":
    with open(sys.argv[1], "w", encoding="utf-8", newline="\n") as file:
        json.dump(notebook(), file, indent=1, ensure_ascii=False)
        file.write("\n")
