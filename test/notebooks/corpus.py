"""Notebooks as Python's own tools write them, and what these tools say of them afterwards.

`corpus.py write FOLDER` writes notebooks; `corpus.py judge FOLDER` reads pairs `x.ipynb` and
`x.after.ipynb` and prints for each, as JSON: whether the second one is valid, whether it is the
first one with one cell more, and whether each is what nbformat would write.
"""

import copy
import json
import sys
import warnings
from pathlib import Path

import nbformat
from nbformat import v3, v4

OUTPUTS = [
    v4.new_output("stream", name="stdout", text="é\n" * 3),
    v4.new_output("display_data", {"image/png": "iVBORw0KGgo=" * 9, "text/plain": "<Figure>"}),
    v4.new_output("error", ename="E", evalue="\x1b[31m\ud83d", traceback=['"}], "cells": [']),
]


def notebooks() -> dict[str, dict]:
    """Notebooks by name, as data."""
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    code = v4.new_code_cell("import os\n\nos.getcwd()", execution_count=1, outputs=OUTPUTS)
    text = v4.new_markdown_cell("# Titel: é\n\n![x](attachment:x.png)")
    text["attachments"] = {"x.png": {"image/png": "iVBORw0KGgo="}}
    front = v4.new_raw_cell("---\ntitle: x\n---")
    made: dict[str, dict] = {}
    for name, cells in {
        "empty": [],
        "code": [code],
        "text": [text],
        "front": [front],
        "whole": [front, text, code, v4.new_code_cell("")],
    }.items():
        whole = v4.new_notebook(cells=copy.deepcopy(cells), metadata=metadata)
        made[f"4.5-{name}"] = whole
        before = copy.deepcopy(whole)
        before["nbformat_minor"] = 4
        for cell in before["cells"]:
            del cell["id"]
        made[f"4.4-{name}"] = before
    sheet = v3.new_worksheet(
        cells=[
            v3.new_heading_cell("Titel", level=1),
            v3.new_code_cell("print 1", prompt_number=1, outputs=[v3.new_output("stream", "1\n")]),
            v3.new_text_cell("markdown", "é"),
        ]
    )
    made["3-whole"] = v3.new_notebook(metadata=v3.new_metadata(name="x"), worksheets=[sheet])
    made["3-empty"] = v3.new_notebook(worksheets=[v3.new_worksheet()])
    made["3-empty"]["metadata"]["kernelspec"] = metadata["kernelspec"]
    return made


def dumps(notebook: dict) -> dict[str, str]:
    """The text of a notebook by each way to write it."""
    old = notebook["nbformat"] == 3
    lines = json.loads((v3 if old else v4).writes_json(copy.deepcopy(notebook)))
    return {
        "nbformat": nbformat.writes(copy.deepcopy(notebook), version=notebook["nbformat"]),
        "dumps": json.dumps(lines),
        "compact": json.dumps(lines, separators=(",", ":"), ensure_ascii=False),
        "indent0": json.dumps(lines, indent=0),
        "indent1": json.dumps(lines, indent=1, ensure_ascii=False) + "\n",
        "indent2": json.dumps(lines, indent=2, sort_keys=True) + "\r\n",
        "indent4": json.dumps(lines, indent=4, separators=(", ", ": ")),
        "tab": json.dumps(lines, indent="\t", ensure_ascii=False).replace("\n", "\r\n"),
        "bom": "\ufeff" + json.dumps(lines, indent=2),
    }


def write(folder: Path) -> None:
    for name, notebook in notebooks().items():
        for way, text in dumps(notebook).items():
            # Half a surrogate pair cannot be written in UTF-8; those ways leave it out.
            data = text.encode("utf-8", "replace")
            (folder / f"{name}-{way}.ipynb").write_bytes(data)


def canonical(text: str) -> bool:
    """Whether nbformat would write the text as it is."""
    notebook = nbformat.reads(text, as_version=nbformat.NO_CONVERT)
    # A final line end is nobody's decision but the program's.
    return nbformat.writes(notebook, nbformat.NO_CONVERT).rstrip("\n") == text.rstrip("\n")


def judge(folder: Path) -> None:
    verdicts = {}
    for after_path in sorted(folder.glob("*.after.ipynb")):
        name = after_path.name.removesuffix(".after.ipynb")
        before, after = (
            path.read_bytes().decode("utf-8-sig") for path in (folder / f"{name}.ipynb", after_path)
        )
        one, two = json.loads(before), json.loads(after)
        cells = [(n.get("worksheets") or [n])[0]["cells"] for n in (one, two)]
        setup = [c for c in cells[1] if "ipynb_telemetry" in c.get("metadata", {})]
        cells[1].remove(setup[0])
        nbformat.validate(nbformat.reads(after, as_version=nbformat.NO_CONVERT))
        verdicts[name] = {
            "added": len(setup),
            "same": one == two,
            "canonical": [canonical(before), canonical(after)],
        }
    print(json.dumps(verdicts))


if __name__ == "__main__":
    warnings.simplefilter("error")
    # nbformat warns of old formats whenever it reads one.
    warnings.filterwarnings("ignore", module="nbformat")
    {"write": write, "judge": judge}[sys.argv[1]](Path(sys.argv[2]))
