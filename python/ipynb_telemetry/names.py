"""The one rule that turns a typed name into STUDENT_NAME; TypeScript passes the same vectors."""

import re
import unicodedata

EMPTY_NAME = "Both first and last name are REQUIRED! Run this cell again."

# Exactly what JavaScript calls white space, so that both languages cut the same.
_BLANKS = re.compile("[\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]+")
_APOSTROPHES = re.compile("[\u2018\u2019\u02bc`\u00b4]")
_HYPHENS = re.compile("[\u2010-\u2015\u2212]")
_LATIN = re.compile("[A-Za-z]")


class EmptyNameError(ValueError):
    """Nothing is left of a name."""

    def __init__(self) -> None:
        super().__init__(EMPTY_NAME)


def normalize_part(typed: str) -> str:
    """Normalize one part of a name; "" where nothing is left of it.

    Latin letters lose their marks (José becomes JOSE), and everything but letters,
    ``-``, ``'`` and single inner blanks is dropped. A part without any Latin letter is
    kept as typed, in NFC and upper case.
    """
    visible = "".join(
        char
        for char in _BLANKS.sub(" ", typed)
        if unicodedata.category(char) not in ("Cc", "Cf", "Cs")
    )
    trimmed = _squeeze(visible)
    ascii_signs = _HYPHENS.sub("-", _APOSTROPHES.sub("'", trimmed))
    plain = "".join(
        char
        for char in unicodedata.normalize("NFKD", ascii_signs).replace("\u02bc", "'")
        if not unicodedata.category(char).startswith("M")
    )
    if _LATIN.search(plain.upper()):  # the sharp s becomes Latin in upper case
        letters = "".join(
            char for char in plain if char in "-' " or unicodedata.category(char).startswith("L")
        )
        return unicodedata.normalize("NFC", _squeeze(letters).upper())
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", trimmed).upper())


def normalize_name(first: str, last: str) -> str:
    """``FIRST-LAST`` in upper case; EmptyNameError (a ValueError) if either part is empty."""
    parts = [normalize_part(first), normalize_part(last)]
    if not all(parts):
        raise EmptyNameError()
    return "-".join(parts)


def normalize_full_name(typed: str) -> str:
    """The same rule for a whole name in one string, as configuration gives it.

    The last word is the last name. A single word, or a name that already is in its
    normalized form (upper case with a hyphen), stays one part. EmptyNameError if empty.
    """
    whole = normalize_part(typed)
    if not whole:
        raise EmptyNameError()
    if " " not in whole or ("-" in whole and whole == typed.strip()):
        return whole
    first, _, last = _squeeze(_BLANKS.sub(" ", typed)).rpartition(" ")
    try:
        return normalize_name(first, last)
    except EmptyNameError:
        return whole  # only punctuation is on one side, or a sign that stands for a blank


def needs_hint(name: str) -> bool:
    """Whether some part was kept as typed because it has no Latin letter."""
    return any(not _LATIN.search(part) for part in name.split("-") if part)


def _squeeze(text: str) -> str:
    return re.sub(" +", " ", text).strip(" ")
