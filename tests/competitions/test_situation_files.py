"""The files that daily_talk's dialogues are made of: what they can say, and one clear error for each fault."""

import random
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from competitions.daily_talk.generator import __main__ as generator
from competitions.daily_talk.generator import script, words
from competitions.daily_talk.generator.document import DataError
from competitions.daily_talk.generator.engine import Scene, Talk, make
from competitions.daily_talk.generator.everyday import Everyday
from competitions.daily_talk.generator.script import Situation

NOTHING = Everyday(frozenset())
README = Path(generator.__file__).parents[1] / "README.md"
GOOD = """\
about: Two people meet.
lists:
  PLANS:
  - {plan: 등산, gear: [물, 모자], ready: {polite: 준비됐어요, casual: 준비됐어}}
  - {plan: 낚시, gear: [미끼], ready: {polite: 다 챙겼어요, casual: 다 챙겼어}}
scene:
- speakers: a, b
- take: PLANS
- set:
    day: [토요일, 일요일]
    first, second: = sample(PLACES, 2)
- topic: $plan 약속
- a: {polite: "$day에 $plan 어때요?", casual: "$day에 $plan 어때?"}
- b:
  - 좋은데 장소는 $first[이/가] 나을까요, $second[이/가] 나을까요?
- if chance(0.5):
  - speakers: c
- if c:
  - c: 저는 $first[이/가] 좋아요.
  else:
  - a: 저는 $second[이/가] 좋아요.
- do: farewell
- case plan:
    등산:
    - a: 그럼 산에서 봐요.
    - stop
    낚시: []
- a: 물가에서 봐요.
parts:
  farewell:
  - b: $ready. 챙길 것은 ${gear[0]}[이에요/예요].
  - summary: [하나, 둘, 셋]
"""


def read(folder: Path, text: str) -> Situation:
    path = folder / "01_meeting.yaml"
    path.write_text(text, encoding="utf-8")
    return Situation(path)


def talks(situation: Situation, count: int = 30) -> list[Talk]:
    return [make(situation, f"seed-{number}", NOTHING) for number in range(count)]


def test_every_kind_of_step_is_done(tmp_path: Path) -> None:
    situation = read(tmp_path, GOOD)
    assert (situation.name, situation.about) == ("meeting", "Two people meet.")
    texts = [talk.dialogue for talk in talks(situation)]
    assert {bool(re.search("등산 어때요|낚시 어때요", text)) for text in texts} == {True, False}
    assert {"#Person3#: 저는" in text for text in texts} == {True, False}
    for text in texts:
        polite = "어때요?" in text
        assert ("준비됐어요" in text or "다 챙겼어요" in text) == polite
        assert text.endswith("그럼 산에서 봐요." if "등산" in text else "물가에서 봐요.")
        assert ("물이에요" in text) == ("등산" in text)


def test_the_example_of_the_readme_makes_talks(tmp_path: Path) -> None:
    example = re.search(r"```yaml\n(.*?)```", README.read_text(encoding="utf-8"), re.S)
    assert example is not None
    assert len({talk.dialogue for talk in talks(read(tmp_path, example[1]))}) > 20


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("$day에 $plan 어때요?", "$dya에 $plan 어때요?", "01_meeting.yaml:13: unknown name 'dya'; did you mean 'day'?"),
        ("= sample(", "= smaple(", "01_meeting.yaml:11: unknown name 'smaple'; did you mean 'sample'?"),
        ("- b:\n", "- bb:\n", "01_meeting.yaml:14: unknown name 'bb'"),
        ("$first[이/가] 좋", "$first[가/이] 좋", "01_meeting.yaml:19: unknown particle [가/이];"),
        ("plan: 낚시, gear", "plna: 낚시, gear", ":5: unknown field 'plna'; the first row has plan, gear, ready."),
        (", ready: {polite: 다 챙겼어요, casual: 다 챙겼어}}", "}", ":5: field 'ready' is missing"),
        ("about: Two people meet.\n", "", ":1: key 'about' is missing; every file has about and scene."),
        ("about:", "abuot:", ":1: unknown key 'abuot'; a file has about, lists, scene and parts."),
        ("do: farewell", "do: goodbye", ":22: unknown part 'goodbye'; the parts are: farewell."),
        ("    낚시: []\n", "", ":23: no case for '낚시', only for 등산; add it, or else."),
        ("casual: 준비됐어}", "casaul: 준비됐어}", ":4: unknown key 'polite'; wanted: if …"),
        (", casual: 준비됐어}", "}", ":4: polite and casual need each other"),
        ("[하나, 둘, 셋]", "[하나, 둘]", "a summary has three wordings, this one has 2."),
        ("    - stop", "    - stpo", ":26: unknown step 'stpo'"),
        ("    day: [", "    choice: [", ":10: 'choice' cannot be defined"),
        ("chance(0.5)", "chance(0.5", ":16: not a formula: 'chance(0.5'"),
        ("    first, second:", "    third: 1\n    first, second:", ":11: 'third' is never used; use it or remove it."),
        ("chance(0.5)", "(lambda:1)()", "Lambda is not allowed in a formula"),
        ("chance(0.5)", "plan.__class__", "unknown field '__class__'"),
        ("chance(0.5)", "1 / 0", ":16: '1 / 0' cannot be evaluated: ZeroDivisionError"),
        ("- topic: $plan 약속", "- topic: $ 약속", ":12: a $ without a name in '$ 약속'"),
        ("그럼 산에서 봐요.", "<Phone>로 전화해요.", ":25: unexpected '<Phone>' in a wording; masks are written"),
        ("그럼 산에서 봐요.", "번호는 #PhoneNumber#예요.", ":25: write #PhoneNumber# as <PhoneNumber>."),
        ("- if c:\n", "- day: 네?\n- if c:\n", "not a speaker; add the step 'speakers: day' before."),
        ("first, second: = sample(PLACES, 2)", "first, second: = sample(PLACES, 3)", ":11: 2 values wanted"),
        ("[토요일, 일요일]", "[]", ":10: there is nothing to choose from; add an option."),
        ("$first[이/가] 좋", "![이/가] 좋", ":19: no reading for the end of"),
        ("  - b: $ready", "   - b: $ready", ":32: not YAML: did not find expected key."),
        ("- take: PLANS\n", "- take: PLANS\n  topic: 약속\n", ":8: a step has one key, this one has take, topic."),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_file_and_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(DataError) as raised:
        talks(read(tmp_path, GOOD.replace(old, new, 1)))
    assert message in str(raised.value)
    assert str(raised.value).startswith("01_meeting.yaml:")
    assert "\n" not in str(raised.value)


def test_an_empty_file_and_a_key_that_occurs_twice_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"01_meeting\.yaml:1: the file is empty"):
        read(tmp_path, "")
    with pytest.raises(DataError, match=r"01_meeting\.yaml:2: the key 'about' occurs twice"):
        read(tmp_path, "about: x\n" + GOOD)


def test_the_command_names_the_fault_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "01_meeting.yaml").write_text(GOOD.replace("$day에", "$dya에", 1), encoding="utf-8")
    monkeypatch.setattr(script, "FOLDER", tmp_path)
    found = CliRunner().invoke(generator.main, [])
    assert found.exit_code == 1
    assert found.output == "Error: 01_meeting.yaml:13: unknown name 'dya'; did you mean 'day'?\n"


def test_full_names_have_no_given_name_that_sounds_wrong_with_one() -> None:
    lists = words.shared_lists()
    assert "김민수" in lists["FULL_NAMES"]
    assert not any(name[1:] in lists["WITHOUT_FAMILY_NAME"] for name in lists["FULL_NAMES"])


def test_working_hours_and_prices() -> None:
    rng = random.Random(1)
    assert re.fullmatch(r"오전 (9|10|11)시부터 오후 [1-3]시까지", words.work_hours(rng, 9, 11))
    assert {words.won(rng, 1000, 2000) for _ in range(50)} == {"1,000원", "1,500원", "2,000원"}


def test_a_scene_that_breaks_the_format_of_a_talk_is_refused(tmp_path: Path) -> None:
    situation = read(tmp_path, GOOD.replace("summary: [하나, 둘, 셋]", "summary: [하나, 둘, 둘]"))
    with pytest.raises(ValueError, match="meeting: three different summaries are wanted"):
        talks(situation)
    scene = Scene(random.Random(1), NOTHING)
    with pytest.raises(ValueError, match="meeting: a talk with 0 turns"):
        scene.finish("meeting")
