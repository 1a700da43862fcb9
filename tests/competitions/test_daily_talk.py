"""The embedded sample: nothing twice, nothing shared, particles right, made again byte for byte."""

import csv
import random
import re
from collections import Counter
from difflib import SequenceMatcher
from itertools import combinations
from pathlib import Path

import pytest
from click.testing import CliRunner

from common.core.files import sha256_file
from common.data.competition import Competition
from common.data.competition_file import load_competition
from common.data.dialogue import parse
from common.data.rows import SplitName, read_references, read_split
from competitions.daily_talk.generator import __main__ as generator
from competitions.daily_talk.generator import everyday
from competitions.daily_talk.generator.engine import Scene, TooCommonError, make
from competitions.daily_talk.generator.korean import agree, plain, two_sentences

SPLITS: tuple[SplitName, ...] = ("train", "dev", "test")


@pytest.fixture(scope="module")
def talk() -> Competition:
    return load_competition("daily_talk")


@pytest.fixture(scope="module")
def dialogues(talk: Competition) -> list[tuple[str, str]]:
    return [(row.id, row.dialogue) for split in SPLITS for row in read_split(talk, split).rows]


def test_every_file_is_read_without_a_warning(talk: Competition) -> None:
    assert {split: dict(read_split(talk, split).warnings) for split in SPLITS} == {s: {} for s in SPLITS}


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


@pytest.mark.slow
def test_the_generator_writes_the_committed_bytes(
    talk: Competition, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generator, "DATA", tmp_path)
    generator.write_all(everyday.committed())
    committed = {path.name: sha256_file(path) for path in (talk.folder / "data").glob("*.csv")}
    assert {path.name: sha256_file(path) for path in tmp_path.glob("*.csv")} == committed
    assert sum(path.stat().st_size for path in tmp_path.glob("*.csv")) < 8_000_000


@pytest.fixture(scope="module")
def summaries(talk: Competition) -> list[tuple[str, ...]]:
    """One summary of each train and dev row, three of each test row."""
    one = [tuple(row.summaries) for split in SPLITS for row in read_split(talk, split).rows if row.summaries]
    return one + [tuple(found) for found in read_references(talk, "test").values()]


def test_a_quarter_of_the_summaries_are_in_plain_style_and_each_keeps_its_style(
    summaries: list[tuple[str, ...]],
) -> None:
    """The field's data: three quarters end in -니다, the others in -다."""
    formal: Counter[bool] = Counter()
    for text in (summary for row in summaries for summary in row):
        sentences = re.split(r"[.?!](?: |$)", text)
        styles = {bool(re.search("[^아]니다$", sentence)) for sentence in sentences if sentence}
        assert len(styles) == 1, text
        assert text.endswith("다."), text
        formal[styles.pop()] += 1
    assert 0.72 < formal[True] / formal.total() < 0.78


def test_a_third_of_the_summaries_have_more_than_one_sentence(summaries: list[tuple[str, ...]]) -> None:
    """The field's data: half of them."""
    sentences = [len(re.findall(r"다\.", text)) for row in summaries for text in row]
    assert min(sentences) == 1
    assert 0.32 < sum(count > 1 for count in sentences) / len(sentences) < 0.6


def _longest_shared_run(one: list[str], other: list[str]) -> int:
    """Return the number of words of the longest run that two texts share."""
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    return matcher.find_longest_match().size


def test_three_references_share_no_clause(talk: Competition) -> None:
    """What they share is a name with a date, of seven words at most."""
    for name, found in read_references(talk, "test").items():
        words = [text.split() for text in found]
        for one, other in combinations(words, 2):
            assert _longest_shared_run(one, other) <= 7, (name, found)


def test_nothing_is_done_within_a_point_in_time(
    dialogues: list[tuple[str, str]], summaries: list[tuple[str, ...]]
) -> None:
    """안에 follows a span (5분 안에); a point in time takes 전에 or 까지."""
    texts = [text for _, text in dialogues] + [text for row in summaries for text in row]
    point = re.compile(r"(오전|오후|저녁|밤|새벽) \S+?(시|시 반|시 \S+분| 시| 시 반) 안에")
    assert not [found[0] for text in texts if (found := point.search(text))]


def test_no_day_that_takes_no_particle_has_one(
    dialogues: list[tuple[str, str]], summaries: list[tuple[str, ...]]
) -> None:
    texts = [text for _, text in dialogues] + [text for row in summaries for text in row]
    wrong = re.compile(r"(?<![가-힣])(오늘|내일|모레|어제|그저께|글피)에(?![가-힣])")
    assert not [found[0] for text in texts if (found := wrong.search(text))]


def test_turns_speakers_and_references_are_as_promised(talk: Competition) -> None:
    counts: Counter[int] = Counter()
    for split in SPLITS:
        for row in read_split(talk, split).rows:
            turns = parse(row.dialogue)
            assert 4 <= len(turns) <= 20
            counts[len({turn.speaker for turn in turns})] += 1
            assert all(summary not in {turn.text for turn in turns} for summary in row.summaries)
    assert set(counts) == {2, 3, 4}
    references = read_references(talk, "test")
    assert all(len(set(found)) == 3 for found in references.values())


def test_there_are_many_situations_and_each_has_many_endings() -> None:
    situations = generator.all_situations()
    assert len({situation.name for situation in situations}) == len(situations) >= 30
    for situation in situations:
        nothing = everyday.Everyday(frozenset())
        talks = [make(situation, f"endings-{number}", nothing) for number in range(12)]
        assert len({t.dialogue for t in talks}) == 12
        openings = {tuple(re.sub(r"\S*\d\S*", "", turn.text) for turn in parse(t.dialogue)) for t in talks}
        assert len(openings) >= 10, f"{situation.name} is one template"


def test_no_run_of_words_is_in_the_list(talk: Competition) -> None:
    avoided = everyday.committed()
    assert len(avoided.known) > 1000
    for split in SPLITS:
        for row in read_split(talk, split).rows:
            assert not any(avoided.holds(text) for text in (row.dialogue, *row.summaries)), row.id
    for found in read_references(talk, "test").values():
        assert not any(map(avoided.holds, found))


def test_a_run_is_found_wherever_it_stands_and_however_it_is_spaced() -> None:
    listed = everyday.of(["우산을 두고 나왔는데 소나기가 쏟아지네요."])
    assert listed.holds("그러게요. 우산을 두고  나왔는데\n소나기가 쏟아지네요. 어쩌죠?")
    assert len(listed.met) == len("우산을 두고 나왔는데 소나기가 쏟아지네요.") - everyday.WINDOW + 1
    assert not listed.holds("우산을 두고 나왔는데 소나기가")  # 16 characters
    assert not everyday.of(["짧은 말"]).known


def test_a_turn_that_everybody_says_is_said_otherwise_or_the_talk_is_given_up() -> None:
    common = "실례지만 여기 앉아도 되겠습니까?"

    def scene(*wordings: str) -> Scene:
        made = Scene(random.Random(3), everyday.of([f"#Person1#: {common}\n#Person2#: "]))
        made.say(made.speaker(["가람", "나리"]), *wordings)
        return made

    for _ in range(5):
        assert scene(common, "이 자리 비었나요?").turns[0][1] == "이 자리 비었나요?"
    with pytest.raises(TooCommonError):
        scene(common)


def test_another_corpus_is_read_and_its_runs_are_never_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generator, "DATA", tmp_path)
    monkeypatch.setattr(generator, "ROWS", {"train": 70, "dev": 8, "test": 8})
    monkeypatch.setattr(everyday, "PATH", tmp_path / "everyday.txt")
    (tmp_path / "everyday.txt").write_text("")
    generator.write_all(everyday.committed())
    corpus = tmp_path / "corpus.csv"
    corpus.write_bytes((tmp_path / "dev.csv").read_bytes())
    found = CliRunner().invoke(generator.main, ["--against", str(corpus)])
    assert found.exit_code == 0, found.output
    of_corpus = everyday.of(generator.texts([corpus]))
    for name in ("train.csv", "dev.csv", "test.csv", "solution.csv"):
        with (tmp_path / name).open(encoding="utf-8", newline="") as lines:
            cells = [cell for row in list(csv.DictReader(lines)) for cell in row.values()]
        assert cells and not any(map(of_corpus.holds, cells)), name


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


@pytest.mark.parametrize(
    ("formal", "wanted"),
    [
        ("#Person1#은 전화를 겁니다.", "#Person1#은 전화를 건다."),
        ("표를 삽니다. 값은 12,000원입니다.", "표를 산다. 값은 12,000원이다."),
        ("약을 받습니다.", "약을 받는다."),
        ("사지 않습니다.", "사지 않는다."),
        ("받아들이지 못합니다.", "받아들이지 못한다."),
        ("자리가 없습니다. 그래도 기다리고 있습니다.", "자리가 없다. 그래도 기다리고 있다."),
        ("벌써 이사했습니다.", "벌써 이사했다."),
        ("나간 집이었습니다.", "나간 집이었다."),
        ("휴가를 줄입니다.", "휴가를 줄인다."),
        ("제안을 받아들입니다.", "제안을 받아들인다."),
        ("숙소는 콘도입니다.", "숙소는 콘도다."),
        ("수수료는 30%입니다.", "수수료는 30%다."),
        ("번호는 #PhoneNumber#입니다.", "번호는 #PhoneNumber#다."),
        ("친구들입니다.", "친구들이다."),
        ("물건이 아닙니다.", "물건이 아니다."),
        ("돈이 필요합니다.", "돈이 필요하다."),
        ("빵을 만듭니다.", "빵을 만든다."),
        ("집에 가고 싶습니다.", "집에 가고 싶다."),
        ("계획을 들킨 듯합니다.", "계획을 들킨 듯하다."),
    ],
)
def test_formal_style_becomes_plain(formal: str, wanted: str) -> None:
    assert plain(formal) == wanted


@pytest.mark.parametrize(
    ("one", "wanted"),
    [
        ("#Person1#이 값을 묻자 #Person2#는 답합니다.", "#Person1#이 값을 묻습니다. #Person2#는 답합니다."),
        ("#Person1#은 표를 팔고, 지호는 삽니다.", "#Person1#은 표를 팝니다. 지호는 삽니다."),
        ("지호는 자리가 없으며, #Person2#는 갑니다.", "지호는 자리가 없습니다. #Person2#는 갑니다."),
        (
            "#Person1#은 사고 싶어 하지만 두 사람은 떠납니다.",
            "#Person1#은 사고 싶어 합니다. 하지만 두 사람은 떠납니다.",
        ),
        ("#Person1#은 산다고 #Person2#는 말합니다.", None),
        ("#Person1#은 혼자 #Person2#는 함께 갑니다.", None),
        ("#Person1#은 표를 사고 집에 갑니다.", None),
        ("문을 닫고 #Person2#는 갑니다.", None),
        ("#Person1#은 묻고 #Person2#는 답합니다. 지호는 없습니다.", None),
    ],
)
def test_a_sentence_is_cut_where_its_second_clause_has_a_topic(one: str, wanted: str | None) -> None:
    assert two_sentences(one, ["지호"]) == (wanted or one)


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
