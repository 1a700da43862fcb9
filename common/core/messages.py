"""Write text from outside (ids, cells, file names, answers of servers) into messages and logs without its control characters."""

import logging
import sys
import warnings
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from common.core import terminal

_INVISIBLE = "\u115f\u1160\u3164\uffa0"  # Hangul fillers: letters for Python, but nothing is shown


def printable(text: str) -> str:
    """Return the text with every character that is not shown as itself as an escape (\\x1b, \\u202e); line breaks and tabs stay.

    Escape sequences, direction marks and zero-width characters then cannot change what a terminal shows.
    """
    if text.isprintable() and not any(sign in text for sign in _INVISIBLE):
        return text
    return "".join(
        sign if sign in "\n\t" or (sign.isprintable() and sign not in _INVISIBLE) else _escape(sign)
        for sign in text
    )


def _escape(sign: str) -> str:
    return sign.encode("unicode_escape").decode("ascii")


def cut(text: str, most: int = 80) -> str:
    """Return the text as one printable line of at most `most` characters; a longer one ends in "…"."""
    line = printable(text[: most + 1]).replace("\n", "\\n").replace("\t", "\\t")
    return line if len(line) <= most and len(text) <= most else line[: most - 1] + "…"


def quoted(text: str, most: int = 80) -> str:
    """Return the text in double quotes for a message, `cut` to `most` characters."""
    return f'"{cut(text, most)}"'


def brief(value: object, most: int = 80) -> str:
    """Return the `repr` of a value for a message, `cut` to `most` characters."""
    try:
        text = repr(value[: most + 1] if isinstance(value, str | bytes) else value)
    except (RecursionError, ValueError):  # nested too deeply; an integer with over 4,300 digits
        return f"a very large {type(value).__name__}"
    return cut(text, most)


def listed(names: Iterable[str], most: int = 8) -> str:
    """Return the first `most` names, each `quoted` and cut to 40 characters, separated by commas; "…" stands for the others."""
    quotes = [quoted(name, 40) for name, _ in zip(names, range(most + 1), strict=False)]
    return ", ".join([*quotes[:most], *(["…"] if len(quotes) > most else [])])


def some(reasons: Sequence[str], most: int = 3) -> str:
    """Return the first `most` reasons, separated by semicolons, and the number of the others."""
    more = f"; and {len(reasons) - most} more" if len(reasons) > most else ""
    return f"{'; '.join(reasons[:most])}{more}"


def duration(seconds: float) -> str:
    """Return a duration for a message: "8 s", "3 min 5 s", "12 min", "2 h 5 min"."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    minutes = round(whole / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"


def local_time(text: str) -> str:
    """Return a recorded time (ISO 8601) in this machine's time zone, as in 2026-11-29 16:20.

    A time without an offset counts as local. A text that is no time is returned as it is, at most 16 characters.
    """
    try:
        return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError):
        return cut(text, 16)


def close_bars() -> None:
    """Remove the progress bars from the terminal: before the last line of a program that ends early."""
    bars = sys.modules.get("tqdm")
    for bar in list(getattr(bars.tqdm, "_instances", ())) if bars else ():
        bar.leave = False
        bar.close()


class _AboveBars(logging.StreamHandler[Any]):
    """Write each message above the progress bars of a terminal, not into the line of one, and wrapped to its width."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the message; for a terminal in the user's language, with lines that fit. A traceback stays as it is."""
        text = super().format(record)
        if record.exc_info or terminal.width(self.stream) is None:
            return text
        return terminal.fitted(text, self.stream)

    def emit(self, record: logging.LogRecord) -> None:
        """Write the message."""
        bars = sys.modules.get("tqdm")
        if bars is None or not self.stream.isatty():
            super().emit(record)
            return
        bars.tqdm.write(self.format(record), file=self.stream)


class _Printable(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


_QUIET = {
    "accelerate": logging.WARNING,
    "datasets": logging.WARNING,
    "filelock": logging.WARNING,
    "httpx": logging.WARNING,
    "accelerate.utils.other": logging.ERROR,  # warns about tied weights at every checkpoint
    "bitsandbytes": logging.ERROR,  # warns about every 8-bit layer and about kernels that it can do without
}


def quiet_libraries() -> None:
    """Keep libraries from printing what a user can do nothing about; call this before they are imported.

    Warnings stay when Python was started with -W or PYTHONWARNINGS, and so do those about the GPU's driver.
    """
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(least)
    if sys.warnoptions:
        return
    for category in (UserWarning, FutureWarning, DeprecationWarning, PendingDeprecationWarning):
        warnings.filterwarnings("ignore", category=category)
    warnings.filterwarnings("default", category=UserWarning, module=r"torch\.cuda")


def log_to_terminal(level: int = logging.INFO) -> None:
    """Send the log to stderr as plain printable messages, unless something else already handles it.

    What libraries log without a reason to act on it is left out.
    """
    quiet_libraries()
    handler = _AboveBars(sys.stderr)
    handler.setFormatter(_Printable("%(message)s"))
    logging.basicConfig(level=level, handlers=[handler])


def size_text(size: int) -> str:
    """Return a number of bytes with the decimal unit that suits it: "0 B", "3.4 MB", "12 GB" (12e9 bytes)."""
    value, units = float(size), ["B", "kB", "MB", "GB", "TB"]
    while value >= 999.5 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{value:.1f} {units[0]}" if units[0] != "B" and value < 9.95 else f"{value:.0f} {units[0]}"
