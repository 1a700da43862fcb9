"""The embedded sample: nothing twice, nothing shared, particles right, made again byte for byte."""

import re
from collections import Counter

import pytest

from common import competition, files, rows
from common.dialogue import parse
from competitions.daily_talk.generator import __main__ as generator
from competitions.daily_talk.generator.engine import make
from competitions.daily_talk.generator.korean import agree

SPLITS: tuple[rows.SplitName, ...] = ("train", "dev", "test")


@pytest.fixture(scope="module")
def talk() -> competition.Competition:
    return competition.load("daily_talk")


@pytest.fixture(scope="module")
def dialogues(talk: competition.Competition) -> list[tuple[str, str]]:
    return [(row.id, row.dialogue) for split in SPLITS for row in rows.read_split(talk, split).rows]


def test_every_file_is_read_without_a_warning(talk: competition.Competition) -> None:
    assert {split: dict(rows.read_split(talk, split).warnings) for split in SPLITS} == {s: {} for s in SPLITS}


def test_no_two_dialogues_are_nearly_the_same(dialogues: list[tuple[str, str]]) -> None:
    index = generator.Index()
    for name, dialogue in dialogues:
        pieces = generator.shingles(dialogue)
        similarity = index.similarity(pieces)
        assert similarity < generator.SIMILAR, f"{name} repeats an earlier dialogue ({similarity:.2f})"
        index.add(pieces)


def test_the_near_duplicate_check_finds_a_planted_one(dialogues: list[tuple[str, str]]) -> None:
    index = generator.Index()
    for _, dialogue in dialogues[:50]:
        index.add(generator.shingles(dialogue))
    changed = dialogues[7][1].replace("#Person1#", "#Person2#", 1) + " 네."
    assert index.similarity(generator.shingles(changed)) >= generator.SIMILAR


def test_the_generator_writes_the_committed_bytes(
    talk: competition.Competition, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generator, "DATA", tmp_path)
    generator.main()
    committed = {path.name: files.sha256_file(path) for path in (talk.folder / "data").glob("*.csv")}
    assert {path.name: files.sha256_file(path) for path in tmp_path.glob("*.csv")} == committed
    assert sum(path.stat().st_size for path in tmp_path.glob("*.csv")) < 8_000_000


def test_turns_speakers_and_references_are_as_promised(talk: competition.Competition) -> None:
    counts: Counter[int] = Counter()
    for split in SPLITS:
        for row in rows.read_split(talk, split).rows:
            turns = parse(row.dialogue)
            assert 4 <= len(turns) <= 20
            counts[len({turn.speaker for turn in turns})] += 1
            assert all(summary not in {turn.text for turn in turns} for summary in row.summaries)
    assert set(counts) == {2, 3, 4}
    references = rows.read_references(talk, "test")
    assert all(len(set(found)) == 3 for found in references.values())


def test_there_are_many_situations_and_each_has_many_endings() -> None:
    situations = generator.all_situations()
    assert len({situation.__name__ for situation in situations}) == len(situations) >= 30
    for situation in situations:
        talks = [make(situation, f"endings-{number}") for number in range(12)]
        assert len({t.dialogue for t in talks}) == 12
        openings = {tuple(re.sub(r"\S*\d\S*", "", turn.text) for turn in parse(t.dialogue)) for t in talks}
        assert len(openings) >= 10, f"{situation.__name__} is one template"


@pytest.mark.parametrize(
    ("marked", "wanted"),
    [
        ("#Person1#[은/는]", "#Person1#은"),
        ("#Person2#[은/는]", "#Person2#는"),
        ("#Person3#[이/가]", "#Person3#이"),
        ("#Person4#[과/와]", "#Person4#와"),
        ("서울[으로/로]", "서울로"),
        ("부산[으로/로]", "부산으로"),
        ("7[으로/로]", "7로"),
        ("10[이/가]", "10이"),
        ("1,000원[을/를]", "1,000원을"),
        ("'봄날'[을/를]", "'봄날'을"),
        ("#Email#[으로/로]", "#Email#로"),
        ("30%[을/를]", "30%를"),
        ("지호[이랑/랑]", "지호랑"),
        ("TV[을/를]", "TV를"),
    ],
)
def test_particles_agree(marked: str, wanted: str) -> None:
    assert agree(marked) == wanted


def test_no_particle_disagrees_with_its_word(dialogues: list[tuple[str, str]]) -> None:
    """을 after a vowel or 를 after a consonant is always wrong in Hangul words."""
    wrong = []
    for name, dialogue in dialogues:
        for before, particle in re.findall(r"([가-힣])([을를])(?=[ .,?!\n]|$)", dialogue):
            closed = (ord(before) - ord("가")) % 28 > 0
            if closed != (particle == "을"):
                wrong.append((name, before + particle))
    words = ("가을", "마을", "노을", "나을", "지을", "이을")  # end in 을 without it being a particle
    assert not [found for found in wrong if found[1] not in words]
