"""Privacy levels: how much of the student's work may leave, applied before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Mapping

OUTCOMES = "outcomes"
CODE = "code"
FULL = "full"

# From the least to the most that is collected.
LEVELS = (OUTCOMES, CODE, FULL)

MAX_CODE_CHARS = 500
MAX_ERR_CHARS = 200

# Longest name of an error's type.
_MAX_TYPE_CHARS = 100

# Types that do not end in a word that says error: Python's own, its standard library's, pytest's.
_KNOWN_TYPES = (
    "ExceptionGroup",
    "BaseExceptionGroup",
    "Empty",
    "Full",
    "Clamped",
    "DivisionByZero",
    "FloatOperation",
    "Inexact",
    "InvalidOperation",
    "Overflow",
    "Rounded",
    "Subnormal",
    "Underflow",
    "Failed",
    "Skipped",
)
_ENDINGS = "Error|Exception|Warning|Interrupt|Exit|Iteration|Timeout|Failure"
_TYPE = rf"(?:[A-Za-z_]\w*\.)*(?:(?:[A-Z]\w*)?(?:{_ENDINGS})|{'|'.join(_KNOWN_TYPES)})"
_LEADING_TYPE = re.compile(rf"({_TYPE})(?::|\s*$)", re.ASCII)


def strictest(*chosen: str | None) -> str:
    """Of several levels (None: no opinion), the one that collects least; `outcomes` for none."""
    return min((level for level in chosen if level), key=LEVELS.index, default=OUTCOMES)


def error_type(err: str) -> str:
    """The type out of ``Type`` or ``Type: message``.

    ``Error`` where no type can be told for sure, so that no word of a message slips through. A
    type is known by its form: the name of a class that ends in a word such as ``Error``, or one
    of those known to have another name.
    """
    found = _LEADING_TYPE.match(err)
    return found.group(1) if found and len(found.group(1)) <= _MAX_TYPE_CHARS else "Error"


def error_text(err_type: str | None, message: str | None, level: str) -> str | None:
    """What `level` says of an error: its type, or ``Type: message``; None for no error."""
    if err_type is None:
        return None
    if level == OUTCOMES:
        return error_type(err_type)
    return (f"{err_type}: {message}" if message else err_type)[:MAX_ERR_CHARS]


def apply_level(event: str, properties: Mapping[str, object], level: str) -> dict[str, object]:
    """A copy of `properties` of `event`, with ``code`` and ``err`` as `level` allows them."""
    allowed = dict(properties)
    if event not in ("cell", "test"):
        return allowed
    code, err = allowed.get("code"), allowed.get("err")
    if isinstance(code, str):
        allowed["code"] = None if level == OUTCOMES else code[:MAX_CODE_CHARS]
    if isinstance(err, str):
        allowed["err"] = error_type(err) if level == OUTCOMES else err[:MAX_ERR_CHARS]
    return allowed
