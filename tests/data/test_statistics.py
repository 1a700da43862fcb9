"""Statistics are what counting by hand gives; differences between splits are what scipy and every pair give."""

import re
import struct
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.data import statistics_chart
from common.data.competition_file import load_competition
from common.data.rows import Row, Split
from common.data.statistics import (
    Lengths,
    Measured,
    cliffs_delta,
    ks_distance,
    ks_p_value,
    measure,
    new_topics,
    shifts,
)

numbers = st.lists(st.integers(0, 9), min_size=1, max_size=30)


def measured(name: str, *rows: Row) -> Measured:
    split = Split(name, rows, Path(f"{name}.csv"), "", {"HTML": 1}, ())
    return measure(load_competition("daily_talk"), split, [len(row.summaries) for row in rows])


def talk(
    number: int, turns: int, topic: str = "날씨", summaries: tuple[str, ...] = ("#Person1#이 말한다.",)
) -> Row:
    lines = [f"#Person{1 + turn % 2}#: 오늘은 비가 와요" for turn in range(turns)]
    return Row(f"x_{number}", "\n".join(lines), summaries, topic)


def test_a_split_is_counted_after_cleaning() -> None:
    odd = Row(
        "x_1",
        "# Person1 #: 안녕  하세요\r\n사람2#: 네.<br>#Person3#: #Email#로 보내요",
        ("#사람1#의 인사", "둘"),
        " ",
    )
    found = measured("train", talk(0, 2), odd).statistics
    lengths = {one.measure: one for one in found.lengths}
    assert lengths["turns"] == Lengths("turns", "train", 2, (2.1, 2.5, 2.9, 2.99), 3, 2.5)
    # "#Person1#: 안녕 하세요", "#Person2#: 네." and "#Person3#: #Email#로 보내요", with two line breaks
    assert lengths["dialogue characters"].longest == 17 + 13 + 23 + 2 == 55
    assert lengths["dialogue words"].mean == (2 * 4 + 3 + 2 + 3) / 2
    assert lengths["summary characters"].shortest == 1
    assert len(measured("train", odd).values["summary words"]) == 2
    assert (found.rows, found.references, found.speakers) == (2, (1, 2), {2: 1, 3: 1})
    assert found.topics == {"날씨": 1}
    assert found.tags == {"#Person1#": 2, "#Person2#": 2, "#Email#": 1, "#Person3#": 1}
    assert found.odd_tags == {"# Person1 #": 1, "#사람1#": 1}
    assert found.warnings == {"HTML": 1}


def test_topics_that_train_lacks() -> None:
    train = measured("train", talk(0, 2, "날씨")).statistics
    dev = measured(
        "dev", talk(0, 2, "여행"), talk(1, 2, " 날씨 "), talk(2, 2, "여행"), talk(3, 2, "")
    ).statistics
    assert new_topics(train, dev) == 2


@given(numbers, numbers)
def test_distance_and_delta_are_what_every_pair_gives(first: list[int], second: list[int]) -> None:
    a, b = np.sort(np.array(first, dtype=float)), np.sort(np.array(second, dtype=float))
    pairs = [(y > x) - (y < x) for x, y in product(first, second)]
    assert cliffs_delta(a, b) == pytest.approx(sum(pairs) / len(pairs))
    gaps = [
        abs(sum(x <= n for x in first) / len(first) - sum(y <= n for y in second) / len(second))
        for n in range(10)
    ]
    assert ks_distance(a, b) == pytest.approx(max(gaps))


@pytest.mark.parametrize(("gap", "size"), [(0.0, 300), (0.1, 300), (0.2, 300), (0.4, 2000)])
def test_p_values_are_near_scipys(gap: float, size: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    random = np.random.default_rng(3)
    a, b = np.sort(random.normal(size=size)), np.sort(random.normal(gap, size=size))
    wanted = stats.ks_2samp(a, b, method="asymp")
    distance = ks_distance(a, b)
    assert distance == pytest.approx(wanted.statistic)
    assert ks_p_value(distance, size, size) == pytest.approx(wanted.pvalue, rel=0.35, abs=1e-12)


def test_a_longer_split_is_named_and_an_equal_one_is_not() -> None:
    train = measured("train", *(talk(n, 4 + n % 5) for n in range(200)))
    dev = measured("dev", *(talk(n, 4 + n % 5) for n in range(100)))
    test = measured("test", *(talk(n, 8 + n % 5) for n in range(100)))
    found = shifts([train, dev, test])
    notable = {(one.measure, one.first, one.second) for one in found if one.notable}
    longer = {"dialogue characters", "dialogue words", "turns"}
    summaries = {("summary % of dialogue", first, "test") for first in ("train", "dev")}
    assert notable == {(name, first, "test") for name in longer for first in ("train", "dev")} | summaries
    turns = next(one for one in found if (one.measure, one.first, one.second) == ("turns", "train", "test"))
    assert turns.medians == (6, 10) and turns.delta == pytest.approx(24 / 25) and turns.p < 1e-6


def _size(path: Path) -> tuple[int, int]:
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", data[16:24])
    return int(width), int(height)


@pytest.mark.parametrize("topic", ["날씨", "a $x^2", "🌧️ rain", "\x07"])
def test_the_chart_never_has_a_letter_that_its_font_lacks(
    topic: str, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    splits = [measured(name, talk(0, 2, topic), talk(1, 5, "weather")) for name in ("train", "dev")]
    splits.append(measured("test", Row("test_0", "글", (), "")))
    statistics_chart.draw("daily_talk: 대화", splits, tmp_path / "new" / "stats.png")
    assert _size(tmp_path / "new" / "stats.png") == (1430, 825)
    assert [str(one.message) for one in recwarn if re.search("(?i)glyph|font", str(one.message))] == []


def test_a_font_with_hangul_is_used_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.ttGlyphPen import TTGlyphPen
    from matplotlib import font_manager

    syllables = {code: f"uni{code:04X}" for code in range(0xAC00, 0xD7A4)}
    names = [".notdef", *syllables.values()]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap(syllables)
    builder.setupGlyf(dict.fromkeys(names, TTGlyphPen(None).glyph()))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (1000, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Made Hangul", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(tmp_path / "made.ttf")
    known = font_manager.fontManager.ttflist
    monkeypatch.setattr(font_manager.fontManager, "ttflist", [f for f in known if "DejaVu" in f.name])
    assert statistics_chart._font()[0] is None
    font_manager.fontManager.addfont(tmp_path / "made.ttf")
    family, letters = statistics_chart._font()
    assert family == "Made Hangul" and {ord("가"), ord("힣"), ord("A"), ord("#")} <= letters
    assert statistics_chart._label("점심 약속", letters, "topic 1") == "점심 약속"
    assert statistics_chart._label("점심 🌧️", letters, "topic 1") == "topic 1"
