"""exp006 against a real server on this machine: faults, kills, a budget, and a blend that has it as a member."""

import csv
import json
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common.data.competition_file import load_competition
from common.data.dialogue import TAG
from common.data.rows import read_split
from common.generation.api import candidates as candidates_of
from common.generation.api import requests as requests_of
from common.llm.checks import STRICTER
from common.llm.loopback import answer_text
from common.prompts import PromptConfig
from common.runs import candidates
from common.runs.record import read_record
from tests.support import tiny
from tests.support.scripted_server import Call, Reply, Script, Server, chat, json_reply, serve

KEY = "up_canary-5f1d2c77e0b94a"
ROWS = 6
RUN = "outputs/daily_talk/exp006"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tiny.repository(tmp_path / "repository", train_rows=40, other_rows=ROWS)
    monkeypatch.setenv("KDS_ROOT", str(root))
    monkeypatch.setenv("SOLAR_API_KEY", f"{KEY}\n")
    return root


@pytest.fixture
def server() -> Iterator[Callable[[Script | None], Server]]:
    """Starts servers that end with the test."""
    opened = []

    def start(script: Script | None = None) -> Server:
        opened.append(serve(script))
        return opened[-1].__enter__()

    yield start
    for one in opened:
        one.__exit__(None, None, None)


def command(stage: str, url: str, *words: str) -> list[str]:
    """The stage as a user runs it."""
    return ["common", stage, "exp006", "--competition=daily_talk", "--track=off", f"--base-url={url}", "--model=tiny",
            "--shots=1", "--longest-wait=0.05", "--requests-per-minute=100000", *words]  # fmt: skip


def run(root: Path, stage: str, url: str, *words: str) -> tuple[int, str]:
    code, output = tiny.call(root, *command(stage, url, *words))
    assert KEY not in output
    return code, output


def predictions(root: Path) -> dict[str, bytes]:
    return {
        f"{split}/{name}": (root / RUN / split / name).read_bytes()
        for split in ("dev", "test")
        for name in ("candidates.jsonl", "predictions.csv")
    }


def faulty(call: Call) -> Reply | None:
    """Every question fails once, each in another way."""
    if call.times > 1 or call.body["messages"][-1]["content"].startswith(STRICTER[:8]):
        return None
    kinds = (Reply(status=429, headers={"Retry-After": "100000"}), Reply(status=500), Reply(drop="inside"),
             Reply(content=b"{broken"), Reply(text="죄송하지만 도와드릴 수 없습니다."), None)  # fmt: skip
    return kinds[call.number % len(kinds)]


def test_a_model_that_refuses_parameters_and_answers_in_a_wrapper(
    repository: Path, server: Callable[[Script | None], Server]
) -> None:
    """The errors name the settings one after another; with them every answer is used, without its wrapper."""

    def particular(call: Call) -> Reply | None:
        if "max_tokens" in call.body:
            return json_reply(
                {"error": {"message": "use 'max_completion_tokens'", "param": "max_tokens"}}, 400
            )
        if "frequency_penalty" in call.body:
            return json_reply(
                {"detail": [{"loc": ["body", "frequency_penalty"], "msg": "not permitted"}]}, 422
            )
        if call.body.get("reasoning_effort") != "low":
            return chat("<think>한참", "MAX_TOKENS")
        return chat(
            f"<think>짧게</think>**요약:** {answer_text(call.body, call.times)}<|im_end|>", "eos_token"
        )

    root, api = repository, server(particular)
    settings = ["--samples=1", "--attempts=2"]
    for option in ("--max-tokens-name max_completion_tokens", "--leave-out frequency_penalty"):
        code, output = run(root, "train", api.url, *settings)
        assert code == 0, output
        code, output = run(root, "infer", api.url, *settings)
        assert code == 1
        assert option in output
        settings += option.split()
    code, output = run(root, "infer", api.url, *settings)
    assert code == 1
    assert "길이 제한에 걸려 끝까지 쓰이지 않음(MAX_TOKENS" in output
    code, output = run(root, "infer", api.url, *settings, '--extra={"reasoning_effort":"low"}')
    assert code == 0, output
    found = candidates.read(root / RUN / "dev" / "candidates.jsonl")
    assert len(found) == ROWS
    assert all(not re.search("요약|think|im_end", c.text) for group in found.values() for c in group)


def test_summaries_from_an_api_end_in_a_blend(
    repository: Path, server: Callable[[Script | None], Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, api = repository, server(faulty)
    assert run(root, "train", api.url)[0] == 0
    code, output = run(root, "infer", api.url, "--dry-run")
    assert code == 0, output
    wanted = 2 * ROWS * 2 * 3  # splits, rows, prompts, samples
    assert output.strip().startswith(f"{wanted} calls to make, 0 answers are cached; about ")
    assert "infer" not in read_record(root / RUN)
    assert not api.received

    monkeypatch.delenv("WANDB_MODE")
    code, output = tiny.run(
        root, *command("infer", api.url, "--track=offline")
    )  # wandb in a process of its own
    assert code == 0, output
    assert KEY not in output
    assert "leaderboard" in output
    assert api.authorizations == {f"Bearer {KEY}"}
    found = candidates.read(root / RUN / "dev" / "candidates.jsonl")
    rows = {row.id: row for row in read_split(load_competition("daily_talk"), "dev").rows}
    assert list(found) == list(rows)
    for name, group in found.items():
        assert len(group) == 6
        for candidate in group:
            assert set(TAG.findall(candidate.text)) <= set(TAG.findall(rows[name].dialogue))
            assert "죄송" not in candidate.text
    notes = read_record(root / RUN)["infer"]["notes"]
    assert notes["llm_dev"]["retries"]
    assert notes["llm_dev"]["calls"] >= wanted // 2
    assert notes["llm_dev"]["cost"] > 0

    # Paid once: neither another inference nor an estimate asks again.
    before, asked = predictions(root), api.received.total()
    assert run(root, "infer", api.url)[0] == 0
    assert predictions(root) == before
    assert run(root, "infer", api.url, "--dry-run")[1].startswith(f"0 calls to make, {wanted} answers")
    assert api.received.total() == asked

    for stage in ("train", "infer"):
        assert tiny.call(root, "common", stage, "exp001", "--competition=daily_talk")[0] == 0
    (root / "submissions").mkdir()
    (root / "submissions" / "solar.toml").write_text(
        'competition = "daily_talk"\nmethod = "mbr"\ncandidates = 6\n'
        'members = [{ run = "exp006", weight = 1.0 }, { run = "exp001", weight = 0.5 }]\n',
        encoding="utf-8",
    )
    code, output = tiny.call(
        root, "common", "submit", "--competition", "daily_talk", "--blend", "solar", "--force"
    )
    assert code == 0, output
    with (root / "submissions" / "solar.csv").open(encoding="utf-8", newline="") as lines:
        sent = list(csv.DictReader(lines))
    assert [row["fname"] for row in sent] == [f"test_{number}" for number in range(ROWS)]
    assert all(row["summary"].strip() for row in sent)
    entry = json.loads((root / "submissions" / "ledger.jsonl").read_text(encoding="utf-8"))
    assert set(entry["dev"]) == {"exp006", "exp001", "blend", "floor"}

    kept = [path for path in root.rglob("*") if path.is_file()]
    assert root / ".cache" / "llm.sqlite" in kept
    assert any(path.suffix == ".wandb" for path in kept)
    assert [path for path in kept if KEY.encode() in path.read_bytes()] == []


def test_a_killed_inference_goes_on_and_ends_alike(
    repository: Path, server: Callable[[Script | None], Server]
) -> None:
    root, api = repository, server(lambda _: Reply(delay=0.05))
    assert run(root, "train", api.url)[0] == 0
    for _ in range(2):
        before = api.received.total()
        process = tiny.start(root, *command("infer", api.url, "--workers=2"))
        while api.received.total() < before + 8:
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert not (root / RUN / "test" / "predictions.csv").exists()
    code, output = run(root, "infer", api.url, "--workers=2")
    assert code == 0, output
    assert len(api.answered) == 2 * ROWS * 2  # samples of a question look alike to the server
    assert api.answered.total() <= 2 * ROWS * 2 * 3 + 2 * 2  # at most what was in flight at each kill
    interrupted = predictions(root)
    (root / ".cache" / "llm.sqlite").unlink()
    assert run(root, "infer", api.url, "--workers=1")[0] == 0
    names = {name: candidates.read(root / RUN / name / "candidates.jsonl") for name in ("dev", "test")}
    assert all(len(group) == 6 for found in names.values() for group in found.values())
    assert set(interrupted) == set(predictions(root))


def test_what_cannot_be_answered_stops_with_the_reason(
    repository: Path, server: Callable[[Script | None], Server]
) -> None:
    root = repository
    api = server(lambda _: Reply(text="Sorry, I cannot help with that."))
    assert run(root, "train", api.url)[0] == 0
    code, output = run(root, "infer", api.url)
    assert code == 1
    assert f"error: {ROWS} of {ROWS} dialogues have no usable answer; nothing is written" in output
    assert "and 1 more" in output
    assert not (root / RUN / "dev" / "predictions.csv").exists()
    assert read_record(root / RUN)["infer"]["status"] == "running"

    poor = server(lambda _: Reply(status=403, content=b'{"error": {"message": "insufficient credit"}}'))
    code, output = run(root, "infer", poor.url)
    assert code == 1
    assert "403" in output
    assert "insufficient credit" in output
    assert "Traceback" not in output

    fine = server(None)
    code, output = run(
        root, "infer", fine.url, "--budget=0.0001", "--price-prompt=100", "--price-completion=100"
    )
    assert code == 1
    assert "budget" in output
    assert fine.received.total() == 0


def test_no_key_is_said_before_any_work(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOLAR_API_KEY", raising=False)
    code, output = tiny.call(repository, "common", "train", "exp006", "--competition=daily_talk")
    assert code == 1
    assert re.fullmatch(r"error: llm: there is no API key: SOLAR_API_KEY is neither in .*\n", output)
    assert not (repository / RUN / "best").exists()


def test_other_experiments_have_nothing_to_estimate(repository: Path) -> None:
    code, output = tiny.call(repository, "common", "infer", "exp001", "--competition=daily_talk", "--dry-run")
    assert (code, output) == (
        1,
        "error: --dry-run: exp001 infer costs no money, so there is no estimate; leave --dry-run out.\n",
    )


def test_zero_shot_and_few_shot_ask_differently() -> None:
    rows, train = tiny.rows(3, "dev", seed=3), tiny.rows(30, seed=4)
    bare = requests_of(rows, train, rows, PromptConfig(shots=0), ["summarize"], 2, 0.9)
    shown = requests_of(rows, train, rows, PromptConfig(shots=2), ["summarize", "outcome"], 1, 0.9)
    assert [request.key for request in bare[:3]] == [
        "dev_0/summarize/0",
        "dev_0/summarize/1",
        "dev_1/summarize/0",
    ]
    assert [[m.role for m in request.messages] for request in bare] == [["system", "user"]] * 6
    assert {len(request.messages) for request in shown} == {6}
    for request in [*bare, *shown]:
        row = next(row for row in rows if row.id == request.key.partition("/")[0])
        assert row.dialogue.splitlines()[0] in request.messages[-1].content
        assert row.summaries[0] not in "".join(message.content for message in request.messages)
    assert {bare[0].sample, bare[1].sample} == {0, 1}
    with pytest.raises(Exception, match="--samples 0: wanted 1 or more"):
        requests_of(rows, train, rows, PromptConfig(), ["summarize"], 0, 0.9)
    assert candidates_of([], [], []) == {}
