"""Messages in Korean: what is extracted, which language is chosen, and that a line comes out translated."""

import io
import os
import subprocess
import sys

import pytest

from common.core import language
from common.core.extraction import extract, literals
from common.core.text_table import text_table
from common.core.translation import in_korean, read_catalogue
from tests.support import REPOSITORY
from tests.support.messages import all_messages

TRANSLATED = read_catalogue()


def messages(source: str) -> list[str]:
    return [message for _, _, message, _ in extract(io.BytesIO(source.encode()), None, None, None)]


def test_messages_are_extracted_as_templates() -> None:
    assert messages(
        'raise UserError(f"{path}: cannot be read ({e.strerror}); " f"make it {x} writable.")'
    ) == ["{}: cannot be read ({}); make it {} writable."]
    assert messages('log.info("%s is already trained; %d%% done", a, b)') == [
        "{} is already trained; {}% done"
    ]
    assert messages("print(f\"{a} ran{', and was cut short' if b else ''}\")") == [
        "{} ran{}",
        ", and was cut short",
    ]
    assert messages('def f():\n    """A docstring for readers."""\n    re.compile("no text here")') == []


@pytest.mark.parametrize(
    ("variables", "korean"),
    [
        ({"KDS_LANG": "ko"}, True),
        ({"KDS_LANG": "en", "LANG": "ko_KR.UTF-8"}, False),
        ({"LANG": "ko_KR.UTF-8"}, True),
        ({"LC_ALL": "C", "LANG": "ko_KR.UTF-8"}, False),
        ({"LC_MESSAGES": "ko_KR", "LANG": "C"}, True),
        ({"LANG": "kok_IN"}, False),
        ({}, False),
    ],
)
def test_the_first_variable_chooses(
    variables: dict[str, str], korean: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("KDS_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert language.korean() is korean


@pytest.mark.parametrize(
    ("chosen", "known"), [("kr", False), ("korean", False), ("ko_KR.UTF-8", True), ("EN", True), ("", True)]
)
def test_an_unknown_language_is_said(chosen: str, known: bool) -> None:
    words, variables = [sys.executable, "-m", "common", "--help"], {**os.environ, "KDS_LANG": chosen}
    ended = subprocess.run(words, env=variables, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    said = f"warning: KDS_LANG='{chosen}': wanted ko or en; messages are in English.\n"
    assert ended.stderr == ("" if known else said)


@pytest.mark.parametrize("message", TRANSLATED)
def test_a_translation_has_the_placeholders_of_its_message(message: str) -> None:
    places = len(literals(message)) - 1
    shown = TRANSLATED[message].format(*(f"<{i}>" for i in range(places)))
    assert all(f"<{i}>" in shown for i in range(places))
    line = message.format(*(f"<{i}>" for i in range(places)))
    assert in_korean(line) != line or TRANSLATED[message] == message, (
        "recognized, unless Korean says the same"
    )


def test_colours_are_kept_and_what_they_surround_is_translated() -> None:
    assert in_korean("\x1b[31m\x1b[1mbetter\x1b[0m") == f"\x1b[31m\x1b[1m{in_korean('better')}\x1b[0m"
    assert in_korean("better") != "better"


def test_a_table_is_aligned_after_its_translation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDS_LANG", "ko")
    monkeypatch.delenv("COLUMNS", raising=False)
    rule = text_table([["run", "score"], ["exp001", "better"]]).splitlines()[1]
    assert [len(part) for part in rule.split()] == [6, 4]  # 점수 and 나음 have four columns


def test_text_from_outside_is_not_translated() -> None:
    assert in_korean('error: "file" 42') == '오류: "file" 42'
    assert in_korean('{"hints": "not there"}') == '{"hints": "not there"}'
    assert "make train" in in_korean(
        "there is no target trian. Did you mean make train? Run make to list all targets."
    )
    assert "method=" in in_korean("make list: takes no method=. It takes comp=.")
    assert in_korean("an unknown sentence of another program") == "an unknown sentence of another program"


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(REPOSITORY), "PYTHONUTF8": "1", **variables}
    return subprocess.run(
        [sys.executable, *arguments],
        env=environment,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )


def test_commands_speak_korean_when_asked() -> None:
    missing = ("-m", "common", "train", "exp999")
    assert run(*missing, LANG="C").stderr.startswith("error: experiment 'exp999' does not exist.")
    assert run(*missing, KDS_LANG="ko").stderr.startswith("오류: 실험 'exp999': 없습니다.")
    ended = run("-m", "common", "score", KDS_LANG="ko")
    assert "옵션이 빠졌습니다" in ended.stderr and ended.returncode == 2
    help_text = run("-m", "common", "submit", "--help", KDS_LANG="ko").stdout
    assert "사용법:" in help_text and "멤버" in help_text
    made = run("common/cli/make.py", "trian", KDS_LANG="ko")
    assert made.stderr.startswith("오류: trian") and made.returncode == 2


def test_english_imports_no_translation() -> None:
    code = "import sys, common.cli; print([m for m in sys.modules if m.startswith('common.core.')])"
    names = run("-c", code, LANG="C").stdout
    assert "common.core.language" in names
    assert not any(name in names for name in ("core.translation", "core.extraction", "cli.messages"))


def test_every_message_has_its_korean() -> None:
    assert [message for message in all_messages() if message not in TRANSLATED] == []
