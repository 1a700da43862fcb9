"""Draw a competition's statistics as a PNG."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from common.core.files import atomic_path
from common.core.messages import cut
from common.data.statistics import Measured

HANGUL_FONTS = ("Noto Sans CJK KR", "Noto Sans KR", "NanumGothic", "Nanum Gothic", "NanumBarunGothic", "Malgun Gothic",
                "Apple SD Gothic Neo", "AppleGothic", "UnDotum", "Baekmuk Gulim", "Source Han Sans KR")  # fmt: skip
"""Families that are preferred; any other font that has Hangul will do as well."""
_SAMPLE = "가뷁힣"
_COLOURS = {"train": "#4477aa", "dev": "#ee6677", "test": "#228833"}
_BARS = 8


def draw(title: str, splits: Sequence[Measured], path: Path) -> None:
    """Write the chart atomically: lengths, turns, speakers, tags and topics, with the splits side by side.

    Without a font that has a label's letters, the label is replaced by a Latin one ("topic 3", in the order of the
    table), so that no empty boxes are drawn. Raises UserError as `files.atomic_path` does.
    """
    # The font cache is built at the first import; its messages would be noise among ours.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    family, letters = _font()
    with rc_context({"font.family": [family, "DejaVu Sans"] if family else ["DejaVu Sans"]}):
        figure = Figure(figsize=(13, 7.5), dpi=110, layout="constrained")  # draws with Agg, without a display
        figure.suptitle(_label(title, letters, "data", 100), parse_math=False)
        axes = figure.subplots(2, 3).ravel()
        for place, (name, unit) in enumerate(
            (("dialogue characters", "characters"), ("summary characters", "characters"), ("turns", "turns"))
        ):
            _histogram(axes[place], name, unit, splits)
        _speakers(axes[3], splits)
        tags = _most_common([split.statistics.tags for split in splits])
        _shares(
            axes[4], "dialogues with a tag", tags, [(s, s.statistics.tags) for s in splits], letters, "tag"
        )
        topics = _most_common([split.statistics.topics for split in splits])
        _shares(axes[5], "topics", topics, [(s, s.statistics.topics) for s in splits], letters, "topic")
        with atomic_path(path) as temporary:
            figure.savefig(temporary, format="png")


def _font() -> tuple[str | None, frozenset[int]]:
    """Return a font family that has Hangul, or None, and the code points that can be drawn."""
    from matplotlib import font_manager, get_data_path
    from matplotlib.ft2font import FT2Font

    latin = FT2Font(str(Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf")).get_charmap()
    known = font_manager.fontManager.ttflist
    rank = {name: place for place, name in enumerate(HANGUL_FONTS)}
    normal = [font for font in known if font.style == "normal" and "Last Resort" not in font.name]
    for font in sorted(normal, key=lambda font: (rank.get(font.name, len(rank)), font.weight != 400)):
        try:
            letters = FT2Font(font.fname).get_charmap()
        except (OSError, RuntimeError):  # the cache names a font that is gone or cannot be read
            continue
        if all(ord(letter) in letters for letter in _SAMPLE):
            return font.name, frozenset(letters) | frozenset(latin)
    return None, frozenset(latin)


def _label(text: str, letters: frozenset[int], instead: str, most: int = 24) -> str:
    text = cut(text, most)
    return text if all(ord(letter) in letters for letter in text) else instead


def _histogram(axis: Any, name: str, unit: str, splits: Sequence[Measured]) -> None:
    found = [(s.statistics.name, s.values[name]) for s in splits if name in s.values]
    axis.set_title(name)
    axis.set_xlabel(f"{unit} (the last step counts longer ones too)")
    axis.set_ylabel("% of texts")
    axis.xaxis.get_major_locator().set_params(integer=True)
    if not found:
        return
    everything = np.concatenate([values for _, values in found])
    # A few very long texts would squeeze all others into one bar: they are counted in the last one.
    low, high = float(everything.min()), float(np.percentile(everything, 99.5))
    whole = name == "turns" and high - low <= 60
    edges = np.arange(low - 0.5, np.floor(high) + 1.5) if whole else np.linspace(low, max(high, low + 1), 21)
    for split, values in found:
        counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
        axis.stairs(100 * counts / len(values), edges, color=_COLOURS[split], label=split, linewidth=1.6)
    axis.legend()


def _speakers(axis: Any, splits: Sequence[Measured]) -> None:
    numbers = sorted({count for split in splits for count in split.statistics.speakers})
    axis.set_title("speakers")
    axis.set_xlabel("speakers in a dialogue")
    axis.set_ylabel("% of dialogues")
    width = 0.8 / len(splits)
    for place, split in enumerate(splits):
        heights = [100 * split.statistics.speakers.get(n, 0) / split.statistics.rows for n in numbers]
        at = np.arange(len(numbers)) + (place - (len(splits) - 1) / 2) * width
        axis.bar(at, heights, width, color=_COLOURS[split.statistics.name], label=split.statistics.name)
    axis.set_xticks(np.arange(len(numbers)), [str(number) for number in numbers])
    axis.legend()


def _most_common(counted: Sequence[Any]) -> list[str]:
    """Return the names that are the most common in the first split that has any, as the table lists them."""
    return list(next((counts for counts in counted if counts), {}))[:_BARS]


def _shares(
    axis: Any, title: str, names: Sequence[str], splits: Any, letters: frozenset[int], instead: str
) -> None:
    axis.set_title(title)
    if not names:
        axis.text(0.5, 0.5, "none", ha="center", transform=axis.transAxes)
        return
    axis.set_xlabel("% of dialogues")
    shown = [(split, counts) for split, counts in splits if counts]
    height = 0.8 / len(shown)
    for place, (split, counts) in enumerate(shown):
        widths = [100 * counts.get(name, 0) / split.statistics.rows for name in names]
        at = np.arange(len(names)) + (place - (len(shown) - 1) / 2) * height
        axis.barh(at, widths, height, color=_COLOURS[split.statistics.name], label=split.statistics.name)
    labels = [_label(name, letters, f"{instead} {place}") for place, name in enumerate(names, 1)]
    if labels != [cut(name, 24) for name in names]:
        axis.set_xlabel("% of dialogues (numbers as in the table)")
    axis.set_yticks(np.arange(len(names)), labels, parse_math=False)
    axis.invert_yaxis()
    axis.legend(loc="lower right")
