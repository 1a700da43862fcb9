"""Format rows as a table for the terminal."""

from collections.abc import Sequence


def text_table(table: Sequence[Sequence[str]]) -> str:
    """Return the rows as aligned text with the first row underlined."""
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]
    return "\n".join([lines[0], "  ".join("─" * width for width in widths), *lines[1:]])
