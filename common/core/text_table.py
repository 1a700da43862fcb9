"""Format rows as a table that fits the terminal."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TextIO

from common.core import terminal
from common.core.language import translated
from common.core.messages import cut

VERDICTS = MappingProxyType({"better": "green", "worse": "red"})
"""Colours of the words that `rouge.verdict` returns."""
SHORTEST = 16  # columns that text keeps before a whole column of the table is left out
_GAP = 2


def text_table(
    table: Sequence[Sequence[str]],
    drop: Sequence[str] = (),
    colours: Mapping[str, str] | None = None,
    stream: TextIO | None = None,
) -> str:
    """Return the rows as aligned text with the first row underlined; cells become printable, at most 200 characters.

    In a terminal no line is wider than it: headers are wrapped first; long texts end in "…"; then columns are left out
    and named below the table, those of `drop` first, in its order. In a pipe nothing is left out.
    `colours`: cell → its colour, where the terminal shows colours. `stream`: where the table goes; default: stdout.
    """
    hues = {translated(word): colour for word, colour in (colours or {}).items()}
    drop = [translated(name) for name in drop]
    rows = [[translated(cut(cell, 200)) for cell in row] for row in table]
    columns = terminal.width(stream)
    kept, missing = _kept(rows, drop, columns)
    rows = [[row[i] for i in kept] for row in rows]
    text = _rendered(rows, _widths(rows, columns), hues, terminal.coloured(stream))
    if not missing:
        return text
    note = f"not shown at {columns} columns: {', '.join(missing)} (| cat shows everything)"
    return f"{text}\n{terminal.fitted(note, stream)}"


def _natural(rows: Sequence[Sequence[str]]) -> tuple[list[int], list[int], list[int]]:
    """Return for each column the width of its body, of its header, and of its header's longest word."""
    from rich.cells import cell_len

    body = [max((cell_len(row[i]) for row in rows[1:]), default=0) for i in range(len(rows[0]))]
    words = [max(map(cell_len, head.split()), default=0) for head in rows[0]]
    return body, [cell_len(head) for head in rows[0]], words


def _is_text(rows: Sequence[Sequence[str]], column: int) -> bool:
    """Return True when cells of the column may be shortened: they have letters. A number is never shortened."""
    return any(sign.isalpha() for row in rows[1:] for sign in row[column])


def _least(rows: Sequence[Sequence[str]]) -> list[int]:
    """Return for each column the width below which it is left out."""
    body, _, words = _natural(rows)
    return [
        max(word, min(wide, SHORTEST) if _is_text(rows, i) else wide)
        for i, (wide, word) in enumerate(zip(body, words, strict=True))
    ]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _kept(
    rows: Sequence[Sequence[str]], drop: Sequence[str], columns: int | None
) -> tuple[list[int], list[str]]:
    """Return the places of the columns that are shown, and the headers of the others."""
    heads, least = rows[0], _least(rows)
    kept, missing = list(range(len(heads))), list[str]()
    first = [heads.index(name) for name in drop if name in heads]
    last = [i for i in reversed(kept) if i not in first and i]  # never the first, which names the row
    for place in first + last:
        if columns is None or _total([least[i] for i in kept]) <= columns:
            break
        kept.remove(place)
        missing.append(heads[place])
    return kept, missing


def _widths(rows: Sequence[Sequence[str]], columns: int | None) -> list[int]:
    """Return the width of each column; together they fit."""
    body, head, words = _natural(rows)
    widths = [max(pair) for pair in zip(body, head, strict=True)]
    wrapped = [max(pair) for pair in zip(body, words, strict=True)]
    for place in sorted(range(len(widths)), key=lambda i: wrapped[i] - widths[i]):
        if columns is None or _total(widths) <= columns:
            return widths
        widths[place] = wrapped[place]
    least = _least(rows)
    texts = [i for i in range(len(widths)) if _is_text(rows, i)]
    for floor in (least, [1] * len(least)):
        while columns is not None and _total(widths) > columns:
            long = [i for i in texts if widths[i] > floor[i]]
            if not long:
                break
            widths[max(long, key=lambda i: widths[i])] -= 1
    return widths


def _rendered(
    rows: Sequence[Sequence[str]], widths: Sequence[int], colours: Mapping[str, str], show: bool
) -> str:
    from io import StringIO

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="bold")
    for head, wide in zip(rows[0], widths, strict=True):
        table.add_column(
            Text(head, no_wrap=False, overflow="fold"), width=wide, no_wrap=True, vertical="bottom"
        )
    table.add_row(*("─" * wide for wide in widths))
    for row in rows[1:]:
        table.add_row(*(Text(cell, style=colours.get(cell, ""), overflow="ellipsis") for cell in row))
    console = Console(
        file=StringIO(), width=_total(widths) + _GAP, color_system="standard" if show else None,
        force_terminal=show, legacy_windows=False, markup=False, highlight=False, emoji=False, _environ={},
    )  # fmt: skip
    with console.capture() as captured:
        console.print(table)
    return "\n".join(line.rstrip() for line in captured.get().rstrip("\n").split("\n"))
