"""Read numbers out of files that may contain anything."""

import math


def finite(value: object) -> float | None:
    """Return a JSON value as a finite number; None when it is none: a text, true, NaN, or a number beyond all floats."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
