"""Splits of one release give no sign; of two releases the sign is named with its evidence."""

import random
import unicodedata
from collections.abc import Callable

import pytest

from common.data.competition_file import load_competition
from common.data.releases import SplitTexts, signs
from common.data.rows import SplitName, read_split

SPLITS: tuple[SplitName, ...] = ("train", "dev", "test")


@pytest.fixture(scope="module")
def talk() -> dict[str, SplitTexts]:
    """Splits of one release: the first rows of the embedded sample."""
    competition = load_competition("daily_talk")
    found: dict[str, SplitTexts] = {}
    for split in SPLITS:
        rows = read_split(competition, split).rows[:200]
        summaries = [summary for row in rows for summary in row.summaries[:1]]
        found[split] = SplitTexts([row.id for row in rows], [row.dialogue for row in rows], summaries)
    return found


def changed(one: SplitTexts, change: Callable[[str], str], share: float = 1.0) -> SplitTexts:
    rng = random.Random(0)
    dialogues = [change(text) if rng.random() < share else text for text in one.dialogues]
    return SplitTexts(one.ids, dialogues, one.summaries)


def test_splits_of_one_release_give_no_sign(talk: dict[str, SplitTexts]) -> None:
    assert signs(talk) == []


@pytest.mark.parametrize(
    ("change", "share", "part"),
    [
        (
            lambda text: text.replace("#Person", "#사람"),
            1.0,
            "dialogues with Korean tags: 0% of dev, 100% of test",
        ),
        (
            lambda text: text.replace("#", "＃"),
            1.0,
            "dialogues with full-width tags: 0% of dev, 100% of test",
        ),
        (
            lambda text: text.replace("\n", " \n"),
            0.3,
            "dialogues with a space before a line break: 0% of dev, ",
        ),
        (
            lambda text: text.replace("\n", "\\n"),
            1.0,
            "dialogues with escaped characters: 0% of dev, 100% of test",
        ),
        (
            lambda text: text.replace("\n", "\r\n"),
            1.0,
            "dialogues with carriage returns: 0% of dev, 100% of test",
        ),
        (
            lambda text: unicodedata.normalize("NFD", text),
            1.0,
            "dialogues with text that is not NFC: 0% of dev",
        ),
        (lambda text: text.replace(". ", " (AB). "), 1.0, "dialogues with Latin letters outside tags: "),
        (lambda text: f"{text}\n{text}", 1.0, "lines in dialogues: median "),
        (
            lambda text: text.replace("요", "어").replace("다", "어"),
            1.0,
            "dialogues with mostly polite turns: ",
        ),
    ],
)
def test_another_release_of_test_is_noticed(
    talk: dict[str, SplitTexts], change: Callable[[str], str], share: float, part: str
) -> None:
    found = signs({**talk, "test": changed(talk["test"], change, share)})
    assert [line.partition(" may be of different releases")[0] for line in found] == [
        "train and test",
        "dev and test",
    ]
    assert part in found[1]
    assert found[1].endswith("If so, take all files from one release.")


def test_one_row_in_another_form_is_no_other_release(talk: dict[str, SplitTexts]) -> None:
    few = changed(talk["test"], lambda text: text.replace("\n", " \n"), 0.03)
    assert signs({**talk, "test": few}) == []


def test_summaries_of_another_release_are_noticed(talk: dict[str, SplitTexts]) -> None:
    other = SplitTexts(
        talk["dev"].ids,
        talk["dev"].dialogues,
        [text.replace("#Person", "#사람") for text in talk["dev"].summaries],
    )
    [line] = signs({**talk, "dev": other})
    assert line.startswith(
        "train and dev may be of different releases of the data: summaries with Korean tags: 0% of"
    )


def test_shared_rows_and_ids_are_noticed(talk: dict[str, SplitTexts]) -> None:
    dev, test = talk["dev"], talk["test"]
    mixed = SplitTexts(test.ids, [*dev.dialogues[:20], *test.dialogues[20:]], ())
    [line] = signs({"dev": dev, "test": mixed})
    assert "20 of 200 dialogues of test are in dev too" in line
    [line] = signs({"dev": dev, "test": SplitTexts([*test.ids[:-1], "dev_7"], test.dialogues, ())})
    assert "1 ids are in both ('dev_7')" in line
    few = SplitTexts(test.ids, [*dev.dialogues[:4], *test.dialogues[4:]], ())
    assert signs({"dev": dev, "test": few}) == []


def test_a_few_rows_show_nothing(talk: dict[str, SplitTexts]) -> None:
    def first(one: SplitTexts, count: int) -> SplitTexts:
        return SplitTexts(one.ids[:count], one.dialogues[:count], one.summaries[:count])

    crlf = changed(talk["test"], lambda text: text.replace("\n", "\r\n"))
    assert signs({"dev": first(talk["dev"], 6), "test": first(crlf, 6)}) == []
    assert signs({"dev": first(talk["dev"], 12), "test": first(crlf, 12)}) != []
    assert signs({"dev": first(talk["dev"], 0), "test": crlf}) == []
