"""Draw a curve in a terminal by Braille signs, each of which has two columns and four rows of dots."""

from collections.abc import Sequence

_BLANK = 0x2800
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""Bits of a sign's dots, by column and by row from the top."""


def curve(
    points: Sequence[tuple[float, float]], columns: int, rows: int, first: float, last: float
) -> list[str]:
    """Return the rows of a drawing of the points (x, y), the highest first; each has `columns` signs.

    The drawing goes from `first` to `last`, which contain every x, and from the lowest to the highest y. Neighbours are joined
    by a line.
    """
    grid = [[0] * columns for _ in range(rows)]
    if points:
        wide, high = 2 * columns - 1, 4 * rows - 1
        low, top = min(y for _, y in points), max(y for _, y in points)

        def place(x: float, y: float) -> tuple[int, int]:
            across = (x - first) / (last - first) if last > first else 0.0
            up = (y - low) / (top - low) if top > low else 0.5
            return round(across * wide), round((1 - up) * high)

        before = place(*points[0])
        for point in points:
            now = place(*point)
            for x, y in _line(before, now):
                grid[y // 4][x // 2] |= _DOTS[x % 2][y % 4]
            before = now
    return ["".join(chr(_BLANK + bits) for bits in line) for line in grid]


def _line(a: tuple[int, int], b: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the dots from a to b, both included."""
    steps = max(abs(b[0] - a[0]), abs(b[1] - a[1]), 1)
    return [
        (round(a[0] + (b[0] - a[0]) * i / steps), round(a[1] + (b[1] - a[1]) * i / steps))
        for i in range(steps + 1)
    ]
