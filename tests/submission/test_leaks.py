"""Leaks are counted by id, without showing a text; overlaps are what comparing every pair gives."""

import json
import re
from pathlib import Path

from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from common.cli import commands
from common.data.competition_file import load_competition
from common.data.near_copies import grams, similarity
from common.data.rows import Row, read_split
from common.submission import leaks
from tests.support.rules import FAR, SECRET, forbid, made, new


def invoke(*words: str) -> str:
    result = CliRunner().invoke(commands, ["leaks", "--competition=talk", *words], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_leaks_are_counted_by_id_and_no_text_is_shown(repository: Path) -> None:
    dev = read_split(load_competition("talk"), "dev").rows
    train = read_split(load_competition("talk"), "train").rows
    made(
        repository,
        new(FAR),
        new(train[0].dialogue, number=1),
        new(train[1].dialogue, number=2),
        new(dev[1].dialogue, number=3),
    )
    found = json.loads(invoke("--json"))
    counts = {
        (one["first"], one["second"]): (one["rows"], one["exact"], one["near"]) for one in found["overlaps"]
    }
    assert counts == {
        ("train", "dev"): (2, 1, 1),  # train_5 is dev_0
        ("train", "test"): (3, 2, 2),
        ("dev", "test"): (3, 1, 1),
        ("dev", "augmented/swap"): (4, 1, 1),
        ("test", "augmented/swap"): (4, 3, 3),
        ("train", "augmented/swap"): (4, 1, 1),  # one is its parent's own telling
    }
    examples = {(one["first"], one["second"]): one["examples"] for one in found["overlaps"]}
    assert examples["train", "dev"] == [["train_5", "dev_0", 1.0]]
    assert examples["dev", "augmented/swap"] == [["dev_2", "train_0.x3", 1.0]]
    assert [(one["name"], one["groups"], one["largest"]) for one in found["groups"]] == [
        ("train", 0, 1),
        ("dev", 0, 1),
    ]
    text = invoke()
    assert "1 of 2 dev dialogues has a near-copy in train" in text
    assert "to do: augmented/swap: near-copies of dev or test" in text
    assert SECRET not in text and "우산" not in text


def test_the_report_goes_by_the_competitions_near_copy(repository: Path) -> None:
    test = read_split(load_competition("talk"), "test").rows
    made(repository, new(f"{test[0].dialogue} 정말 미안해, 다음에 돌려줄게."))
    for near_copy, near in ((0.15, 1), (1.0, 0)):
        forbid(repository, near_copy=near_copy)
        found = json.loads(invoke("--json"))
        counts = {(one["first"], one["second"]): (one["exact"], one["near"]) for one in found["overlaps"]}
        assert found["near_copy"] == near_copy
        assert counts["test", "augmented/swap"] == (0, near)


def test_a_test_file_of_another_release_is_named(repository: Path) -> None:
    assert json.loads(invoke("--json"))["releases"] == []
    for name, tag in (("train", "#Person"), ("test", "#사람")):
        path = repository / f"competitions/talk/data/{name}.csv"
        header = path.read_text(encoding="utf-8").splitlines()[0]
        rest = ",요약.,주제" if name == "train" else ""
        rows = [f'{name}_{n},"{tag}1#: {name} {n}.\n{tag}2#: 그래 {n}."{rest}' for n in range(20)]
        path.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    text = invoke()
    assert (
        "releases: train and test may be of different releases of the data: dialogues with Korean tags: 0%"
        in text
    )
    assert "그래" not in text


@given(
    st.lists(st.text("가나다라", min_size=1, max_size=9), min_size=1, max_size=6),
    st.lists(st.text("가나다라", min_size=1, max_size=9), max_size=6),
    st.sampled_from([0.1, 0.3, 0.6, 1.0]),
)
def test_overlaps_are_what_comparing_every_pair_gives(
    first: list[str], second: list[str], near_copy: float
) -> None:
    a = [Row(f"a{n}", f"#Person1#: {text}", (), "") for n, text in enumerate(first)]
    b = [Row(f"b{n}", f"#Person2#: {text}!", (), "") for n, text in enumerate(second)]
    found = leaks.overlap("a", leaks.indexed(a), "b", b, near_copy)
    best = [max(similarity(grams(x.dialogue), grams(y.dialogue)) for x in a) for y in b]
    assert found.near == sum(alike >= near_copy for alike in best)
    assert found.exact == sum(text in first for text in second)
    assert [alike for _, _, alike in found.examples] == sorted(
        (x for x in best if x >= near_copy), reverse=True
    )[:5]
    assert all(re.fullmatch("a[0-9]", x) and re.fullmatch("b[0-9]", y) for x, y, _ in found.examples)
