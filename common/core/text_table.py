"""Format rows as a table for the terminal."""

from collections.abc import Sequence

from common.core.messages import cut


def text_table(table: Sequence[Sequence[str]]) -> str:
    """Return the rows as aligned text with the first row underlined; cells become printable, at most 200 characters."""
    table = [[cut(cell, 200) for cell in row] for row in table]
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]
    return "\n".join([lines[0], "  ".join("─" * width for width in widths), *lines[1:]])
