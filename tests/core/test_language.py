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


FINISHED = {
    "interrupted by SIGINT after step 128 of 1917; checkpoint saved; run the same command again to resume.":
        "SIGINT 신호로 중단되었습니다(1917단계 중 128단계까지 학습). 체크포인트 저장됨; 이어서 하려면 같은 명령을 다시 실행하세요.",
    "interrupted by SIGTERM; run the same command again.": "SIGTERM 신호로 중단되었습니다. 같은 명령을 다시 실행하세요.",
    "error: 200 of 200 predicted ids have no reference, first 'test_0'. Check that predictions and references come from "
    "the same split and competition.":
        "오류: 예측한 id 200개 중 200개에 정답이 없습니다. 첫 id: 'test_0'. 예측과 정답이 같은 데이터 분할과 대회의 것인지 확인하세요.",
    "error: from: train.csv, dev.csv not found; found first.toml. Name the folder or .zip with all of the organisers' "
    "files: make data comp=daily_talk from=PATH":
        "오류: from: 찾지 못했습니다: train.csv, dev.csv. 찾은 것: first.toml. 주최 측 파일이 모두 있는 폴더나 .zip을 "
        "지정하세요: make data comp=daily_talk from=PATH",
    'error: t.csv:1: column "summary" is missing; column "sumary" is not allowed; the header has "sumary"; wanted "summary". '
    "Name the columns so.":
        '오류: t.csv:1: 열이 없습니다: "summary"; 허용되지 않는 열입니다: "sumary". 머리글: "sumary". 있어야 할 것: "summary". '
        "열 이름을 이대로 맞추세요.",
    'error: submissions/mine.toml: "competition" is missing; name the folder under competitions/.':
        '오류: submissions/mine.toml: "competition"이 없습니다. competitions/ 아래의 폴더 이름을 쓰세요.',
    "error: outputs/talk/exp009 was interrupted; first run: make exp=exp009 train":
        "오류: outputs/talk/exp009: 학습이 중단되었습니다. 먼저 실행: make exp=exp009 train",
    "error: Qwen/Qwen2.5-7B-Instruct needs a GPU with 15 GB and this machine has no GPU. Use a machine with one, a smaller "
    "--model with --gpu-memory 0, or exp010, which trains on a CPU.":
        "오류: Qwen/Qwen2.5-7B-Instruct: 15 GB GPU가 필요합니다. 이 컴퓨터에는 GPU가 없습니다. 그런 GPU가 있는 컴퓨터, "
        "--gpu-memory 0과 더 작은 --model, 또는 CPU에서 학습하는 exp010을 쓰세요.",
    "smoke run: predicted with tiny settings on a few rows in 8 s, only to see that it works. It is in outputs/smoke/exp001; "
    "scores and submissions never use it.":
        "스모크 실행: 아주 작은 설정과 몇 행으로 8 s 만에 예측했습니다. 동작 확인용일 뿐입니다. 위치: outputs/smoke/exp001. "
        "점수와 제출에는 쓰지 않습니다.",
    "error: outputs/talk/exp001 is trained, but code common/x.py has changed. Train it again with restart=1.":
        "오류: outputs/talk/exp001: 학습이 끝났지만 지금과 다릅니다. 코드가 바뀌었습니다: common/x.py. restart=1로 다시 학습하세요.",
    "experiment 'exp099' does not exist. Did you mean exp009? There are exp001, exp009; start one with: make new exp=exp0NN from=exp002":
        "실험 'exp099': 없습니다. 혹시 exp009 말인가요? 있는 실험: exp001, exp009. 새로 만들려면: make new exp=exp0NN from=exp002",
    "leaderboard 27.41 ± 1.11, 3.11 BELOW the floor of 30.52": "leaderboard 27.41 ± 1.11, 최저 기준선 30.52보다 3.11 낮음",
    "\x1b[1mleaderboard 31.00 ± 1.11\x1b[0m, \x1b[32m0.48 above the floor of 30.52\x1b[0m":
        "\x1b[1mleaderboard 31.00 ± 1.11\x1b[0m, \x1b[32m최저 기준선 30.52보다 0.48 높음\x1b[0m",
    "final picks: 1 of 2: 0001, 0002": "최종 선택 2개 중 1개: 0001, 0002",
    "names separated by commas, each nfc, whitespace or limit_length": "이름(쉼표로 구분), 각각 nfc, whitespace 또는 limit_length",
    "track='maybe': wanted off, auto, offline or online.": "track='maybe': off, auto, offline 또는 online 중 하나를 쓰세요.",
}  # fmt: skip


@pytest.mark.parametrize("line", FINISHED)
def test_a_finished_line_keeps_its_clauses_apart(line: str) -> None:
    assert in_korean(line) == FINISHED[line]


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
