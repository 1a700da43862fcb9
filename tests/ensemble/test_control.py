"""The control of a blend report: what is gained against the references of other dialogues is no choice by content."""

import random
from dataclasses import replace

import pytest

from common.data.folds import groups
from common.data.rows import Row
from common.ensemble.control import Control, of_targets, other_dialogues, sentence
from common.ensemble.cross_validation import CHOICE_METHODS, MeasuredPool, Verdict, Verdicts, verdicts
from common.rouge import Comparison
from common.runs.candidates import Candidate
from tests.support.members import measured

PHRASE = "라고 하며 서로 이야기를 나눈다"
SUBJECTS = [f"{a}{b}" for a in "가나다라마바사아" for b in "김이박최정강조윤"]


def rows_of(count: int) -> list[Row]:
    """Return dialogues whose summaries share a phrase and nothing else."""
    made = []
    for n in range(count):
        rng = random.Random(n)
        words = rng.sample(SUBJECTS, 6)
        made.append(
            Row(
                f"dev_{n}",
                f"#Person1#: {' '.join(words)}\n#Person2#: {rng.random()}",
                (f"{' '.join(words)} {PHRASE}",),
                "",
            )
        )
    return made


def controlled(rows: list[Row], members: dict[str, dict[str, list[Candidate]]]) -> tuple[Verdicts, Control]:
    known = measured(rows, members)
    real = verdicts(known, {"auto": CHOICE_METHODS["auto"]})
    by_id = {row.id: row for row in rows}
    whose = other_dialogues(known)
    moved = measured([replace(row, summaries=by_id[whose[row.id]].summaries) for row in rows], members)
    return real, of_targets(known, real, replace(known, target=moved.target))


def texts(row: Row, rng: random.Random, *, by_content: bool) -> list[Candidate]:
    """Return four texts, one of them better: it has the summary's own words, or only the phrase that suits any dialogue."""
    own = row.summaries[0].split()[:6]
    poor = [" ".join(rng.sample(SUBJECTS, 6)) for _ in range(4)]
    place = rng.randrange(4)
    poor[place] = f"{' '.join(own)}" if by_content else f"{poor[place]} {PHRASE}"
    return [Candidate(text, None, 9) for text in poor]


@pytest.mark.slow
def test_a_preference_for_generic_texts_is_all_in_the_control() -> None:
    rows, rng = rows_of(50), random.Random(1)
    members = {f"exp00{n}": {row.id: texts(row, rng, by_content=False) for row in rows} for n in (1, 2)}
    real, found = controlled(rows, members)
    gain = real.methods[0].against_best
    assert gain.low > 3  # a gain that looks like news
    assert found.verdict.against_best.low > 3
    assert found.beyond.low < 0.5
    assert abs(found.beyond.difference) < 0.25 * gain.difference


@pytest.mark.slow
def test_a_choice_by_content_goes_beyond_the_control() -> None:
    rows, rng = rows_of(50), random.Random(2)
    members = {f"exp00{n}": {row.id: texts(row, rng, by_content=True) for row in rows} for n in (1, 2)}
    real, found = controlled(rows, members)
    gain = real.methods[0].against_best
    assert gain.low > 3
    assert found.verdict.against_best.high < gain.low
    assert found.beyond.low > 0
    told = sentence(found, gain.difference, real.best)
    assert told.startswith("Control: against references of other dialogues, auto gains ")
    assert told.endswith(": auto also chooses by content.")


@pytest.mark.parametrize(
    ("low", "told"),
    [(0.1, "auto also chooses by content."), (-0.1, "nothing shows that auto chooses by content.")],
)
def test_the_sentence_says_what_goes_beyond(low: float, told: str) -> None:
    gain = Comparison(1.6, 1.1, 2.1, 0.001, 0.001, 499)
    found = Control("exp002", Verdict("auto", 12.0, gain, 0.2), Comparison(1.0, low, 1.9, 0.04, 0.04, 499))
    assert sentence(found, 2.6, "exp001") == (
        "Control: against references of other dialogues, auto gains +1.60 over exp002, which is best there (95 % interval +1.10 … "
        "+2.10); that is a preference for texts that suit any dialogue. Of the gain of +2.60, +1.00 "
        f"({low:+.2f} … +1.90) goes beyond it: {told}"
    )
    assert "over exp002" not in sentence(found, 2.6, "exp002")


def test_references_come_from_other_dialogues_and_never_from_near_copies() -> None:
    rows = rows_of(20)
    rows = [
        *rows,
        *(replace(row, id=f"copy_{n}") for n, row in enumerate(rows[:6])),
        replace(rows[0], id="copy_again"),
    ]
    known = measured(rows, {"exp001": {row.id: [Candidate(row.id, None, 1)] for row in rows}})
    known = replace(known, near_copy=0.9)
    group_of = {name: n for n, group in enumerate(groups(rows, 0.9)) for name in group}
    for seed in range(3):
        whose = other_dialogues(known, seed)
        assert sorted(whose) == sorted(whose.values()) == sorted(row.id for row in rows)
        assert all(group_of[name] != group_of[other] for name, other in whose.items())
        assert whose == other_dialogues(known, seed)
    assert other_dialogues(known, 0) != other_dialogues(known, 1)


@pytest.mark.parametrize("copies", [1, 3])
def test_one_large_group_still_avoids_the_own_references(copies: int) -> None:
    row = rows_of(1)[0]
    rows = [replace(row, id=f"dev_{n}") for n in range(1 + copies)]
    known: MeasuredPool = measured(rows, {"exp001": {one.id: [Candidate("가", None, 1)] for one in rows}})
    assert all(name != other for name, other in other_dialogues(known).items())
