"""Tables as text: columns padded, cut to the width of the window, in colours where wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runyard.cli.say import clean, paint

#: Between two columns.
GAP = "  "
#: A column that gives way is not cut below this.
NARROWEST = 8


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its title, whether it is right-aligned, and whether it may be cut when space is short."""

    title: str
    is_number: bool = False
    gives_way: bool = False


#: A cell: a text, or a text with its colour.
Cell = str | tuple[str, str | None]


def render(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], width: int | None = None) -> str:
    """Return the table as text; `width` None means: as wide as it gets."""
    texts = [[clean(cell if isinstance(cell, str) else cell[0]) for cell in row] for row in rows]
    widths = [max(map(cell_width, [c.title, *(t[i] for t in texts)])) for i, c in enumerate(columns)]
    if width is not None:
        widths = _fitted(columns, widths, width)
    lines = [_line(columns, [c.title for c in columns], [None] * len(columns), widths)]
    for row, words in zip(rows, texts, strict=True):
        colours = [None if isinstance(cell, str) else cell[1] for cell in row]
        lines.append(_line(columns, words, colours, widths))
    return "\n".join(lines)


def cell_width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def cut(text: str, width: int) -> str:
    """Return the text cut to `width` columns, with an ellipsis if anything is missing."""
    if cell_width(text) <= width:
        return text
    if width <= 1:
        return "…"[:width]
    if text.isascii():
        return text[: width - 1] + "…"
    from rich.cells import set_cell_size

    return set_cell_size(text, width - 1).rstrip() + "…"


def _fitted(columns: Sequence[Column], widths: Sequence[int], width: int) -> list[int]:
    fitted = list(widths)
    over = sum(fitted) + len(GAP) * (len(fitted) - 1) - width
    while over > 0:
        widest = max((i for i, c in enumerate(columns) if c.gives_way), key=lambda i: fitted[i], default=None)
        if widest is None or fitted[widest] <= NARROWEST:
            break
        fitted[widest] -= 1
        over -= 1
    return fitted


def _line(
    columns: Sequence[Column], words: Sequence[str], colours: Sequence[str | None], widths: Sequence[int]
) -> str:
    cells = []
    for column, word, colour, width in zip(columns, words, colours, widths, strict=True):
        text = cut(word, width)
        padding = " " * (width - cell_width(text))
        painted = paint(text, colour)
        cells.append(padding + painted if column.is_number else painted + padding)
    return GAP.join(cells).rstrip()
