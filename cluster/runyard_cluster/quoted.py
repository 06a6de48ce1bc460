"""Values as they are shown in messages about what was wrong with them."""

from __future__ import annotations

#: Characters of a value that are shown.
LONGEST_SHOWN = 60


def quoted(value: object) -> str:
    """Return a value for a message: short, on one line, and never failing.

    Of lists and tables only the kind is shown, as there may be secrets in them.
    """
    if isinstance(value, bool) or value is None:
        return repr(value)
    if isinstance(value, str):
        return _cut(repr(value[: LONGEST_SHOWN + 1]), is_cut=len(value) > LONGEST_SHOWN)
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, list | tuple):
        return "a list"
    return "a table" if isinstance(value, dict) else f"a value of type {type(value).__name__}"


def _number(value: float) -> str:
    try:
        text = repr(value)
    except ValueError:
        # Python refuses to write integers of more than 4,300 digits.
        return "a number of more than 4300 digits"
    return _cut(text, is_cut=False)


def _cut(text: str, *, is_cut: bool) -> str:
    return text[: LONGEST_SHOWN - 3] + "..." if is_cut or len(text) > LONGEST_SHOWN else text
