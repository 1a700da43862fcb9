"""`make predict`: each experiment's own infer on other rows, whole files or none, and nothing in the run's folder changes."""

import csv
import json
import os
import shutil
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from common.runs import experiments
from common.runs.asked import Asked
from tests.support import tiny
from tests.support.commands import make

COMPETITION = "--competition=daily_talk"
HELLO = "#Person1#: 우산 어디서 살까요?\\n#Person2#: 시장에서 3시에 봐요."


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with exp001 and exp002 trained and inferred on little data."""
    root = tiny.repository(tmp_path_factory.mktemp("copy") / "repository", train_rows=40, other_rows=6)
    for stage, settings in (
        ("train", tiny.SETTINGS),
        ("infer", [COMPETITION, "--beams=2", "--candidates=2", "--max-new-tokens=12"]),
    ):
        for name in ("exp001", "exp002"):
            code, output = tiny.call(
                root, "common", stage, name, *(settings if name == "exp002" else [COMPETITION])
            )
            assert code == 0, output
    return root


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def rows_file(
    path: Path, rows: Sequence[Sequence[str]], header: Sequence[str] = ("fname", "dialogue")
) -> Path:
    with path.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows([header, *rows])
    return path


def predicted(root: Path, run: str, *options: str) -> tuple[int, str]:
    return tiny.call(root, "common", "predict", COMPETITION, *options, "--", run)


@pytest.mark.parametrize("name", experiments.experiments())
def test_every_experiment_predicts_the_test_rows_as_its_infer_did(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("KDS_ROOT", str(copy))
    for stage in ("train", "infer"):
        code, output = tiny.call(copy, f"experiments.{name}.{stage}", "--smoke", COMPETITION)
        assert code == 0, output
    folder = copy / "outputs" / "smoke" / "daily_talk" / name
    before = contents(folder)
    # As many as a smoke run has.
    rows = [[f"new-{row.id}", row.dialogue] for row in tiny.rows(6, "test", seed=2)[:4]]
    source, target = rows_file(tmp_path / "new.csv", rows), tmp_path / "to.csv"
    asked = Asked(str(source), target=str(target)).option()
    code, output = tiny.call(copy, f"experiments.{name}.infer", "--smoke", COMPETITION, asked)
    assert code == 0, output
    own = (folder / "test" / "predictions.csv").read_bytes()
    assert target.read_bytes().replace(b"new-", b"") == own
    assert contents(folder) == before
    assert not [*folder.parent.glob("predicted/*")]


def test_predictions_of_the_test_file_are_byte_equal_with_the_settings_of_infer(
    copy: Path, tmp_path: Path
) -> None:
    folder = copy / "outputs" / "daily_talk" / "exp002"
    before = contents(folder)
    target = tmp_path / "to.csv"
    code, output = predicted(copy, "exp002", "--from=competitions/daily_talk/data/test.csv", f"--to={target}")
    assert code == 0, output
    assert target.read_bytes() == (folder / "test" / "predictions.csv").read_bytes()
    assert contents(folder) == before


def test_json_lines_with_all_candidates_and_ids_of_train(copy: Path, tmp_path: Path) -> None:
    source = tmp_path / "new.jsonl"
    rows = [("train_0", tiny.rows(2)[0].dialogue), ("a/b/c", tiny.rows(2)[1].dialogue)]
    lines = [json.dumps({"fname": name, "dialogue": text, "summary": 7}) for name, text in rows]
    source.write_text("\n".join(lines), encoding="utf-8")
    target = tmp_path / "to.jsonl"
    code, output = predicted(copy, "exp002", f"--from={source}", f"--to={target}", "--all")
    assert code == 0, output
    found = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    assert [line["fname"] for line in found] == ["train_0", "a/b/c"]
    assert all(line["summary"] and len(line["candidates"]) >= 1 for line in found)
    assert {"text", "logprob", "tokens"} <= set(found[0]["candidates"][0])


def test_one_text_is_printed(copy: Path) -> None:
    ended = make(copy, "predict", "run=exp001", "comp=daily_talk", f"text={HELLO}")
    assert ended.returncode == 0, ended.stderr
    assert len(ended.stdout.splitlines()) == 1 and ended.stdout.strip()
    assert "loading libraries" in ended.stderr


def kept(copy: Path) -> int:
    return sum(
        path.read_bytes().count(b"\n")
        for path in copy.glob("outputs/daily_talk/predicted/exp002-*/test/candidates.*.jsonl")
    )


@pytest.mark.slow
def test_a_killed_prediction_resumes_to_the_same_bytes(copy: Path, tmp_path: Path) -> None:
    rows = [[f"n{i}", row.dialogue] for i, row in enumerate(tiny.rows(60, "new", seed=9))]
    source, whole, target = rows_file(tmp_path / "new.csv", rows), tmp_path / "whole.csv", tmp_path / "to.csv"
    command = ["common", "predict", COMPETITION, f"--from={source}"]
    settings = ["--", "exp002", "--tokens-at-once=200"]
    code, output = tiny.call(copy, *command, f"--to={whole}", *settings)
    assert code == 0, output
    process = tiny.start(copy, *command, f"--to={target}", *settings)
    while kept(copy) < 5:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(signal.SIGSTOP)  # it would end before the other one has started
    code, output = tiny.call(copy, *command, f"--to={tmp_path}/second.csv", *settings)
    assert (
        code == 1
        and "is in use by another process; wait for it to end: it summarizes the same dialogues" in output
    )
    process.kill()
    process.communicate()
    assert kept(copy) >= 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.csv", "whole.csv"]
    code, output = tiny.call(copy, *command, f"--to={target}", *settings)
    assert code == 0, output
    assert target.read_bytes() == whole.read_bytes()
    assert not list((copy / "outputs/daily_talk/predicted").iterdir())


@pytest.mark.slow
def test_two_processes_write_the_same_bytes_and_leave_nothing(copy: Path, tmp_path: Path) -> None:
    target = tmp_path / "to.csv"
    words = ["--gpus=2", "--from=competitions/daily_talk/data/test.csv", f"--to={target}", "--", "exp002"]
    code, output = tiny.run(copy, "common", "predict", COMPETITION, *words)
    assert code == 0, output
    own = copy / "outputs" / "daily_talk" / "exp002" / "test" / "predictions.csv"
    assert target.read_bytes() == own.read_bytes()
    assert not [*(copy / "outputs" / "daily_talk" / "predicted").iterdir()]


def one_line(copy: Path, run: str, options: Sequence[str], part: str) -> None:
    code, output = predicted(copy, run, *options)
    (line,) = [line for line in output.strip().splitlines() if "loading libraries" not in line]
    assert code == 1 and line.startswith("error: ") and part in line, output


def test_wrong_files_are_refused_in_one_line(copy: Path, tmp_path: Path) -> None:
    target = tmp_path / "to.csv"
    good = ["n0", tiny.rows(1)[0].dialogue]
    for rows, header, part in (
        ([good], ("fname", "text"), 'column "dialogue" is missing'),
        ([good, ["n0", good[1]]], ("fname", "dialogue"), ":7: fname"),
        ([good, ["n1", " \u200b"]], ("fname", "dialogue"), 'column "dialogue" is empty'),
        ([good, ["n1", "안녕하세요."]], ("fname", "dialogue"), "starts with a speaker"),
        ([], ("fname", "dialogue"), "no rows"),
    ):
        source = rows_file(tmp_path / "new.csv", rows, header)
        if part.startswith(":7"):
            part = f"new.csv:{2 + good[1].count(chr(10)) + 1}: fname"
        one_line(copy, "exp001", [f"--from={source}", f"--to={target}"], part)
        assert not target.exists()


def test_wrong_options_are_refused_in_one_line(copy: Path, tmp_path: Path) -> None:
    source = rows_file(tmp_path / "new.csv", [["n0", tiny.rows(1)[0].dialogue]])
    old = rows_file(tmp_path / "old.csv", [])
    before = old.read_bytes()
    loop, pipe = tmp_path / "loop.csv", tmp_path / "pipe.csv"
    loop.symlink_to(loop)
    os.mkfifo(pipe)
    run_file = copy / "outputs" / "daily_talk" / "exp001" / "more.csv"
    for options, part in (
        ([f"--from={source}"], "to= is missing"),
        ([f"--from={source}", f"--to={source}"], "is the file that from= names"),
        ([f"--from={source}", f"--to={tmp_path}/no/to.csv"], "is no folder"),
        ([f"--from={source}", f"--to={tmp_path}/to.txt"], "ends in .csv or .jsonl"),
        ([f"--from={loop}", f"--to={tmp_path}/to.csv"], "Too many levels of symbolic links"),
        ([f"--from={source}", f"--to={loop}"], "Too many levels of symbolic links"),
        ([f"--from={source}", f"--to={tmp_path}/{'a' * 300}.csv"], "File name too long"),
        ([f"--from={pipe}", f"--to={tmp_path}/to.csv"], "it is a named pipe, wanted a file"),
        ([f"--from={source}", f"--to={pipe}", "--force"], "is a named pipe; wanted the path of a file"),
        ([f"--from={source}", "--to=/proc/to.csv"], "cannot be written"),
        (["--gpus=2", f"--text={HELLO}"], "gpus=2: this experiment has no model"),
        ([f"--from={source}", f"--to={old}"], "already exists"),
        ([f"--from={source}", f"--to={run_file}"], "own folder"),
        ([f"--from={source}", f"--to={tmp_path}/to.csv", "--all"], "all=1 needs"),
        ([f"--from={tmp_path}/none.csv", f"--to={tmp_path}/to.csv"], "not there"),
        ([f"--from={source}", f"--to={tmp_path}/to.csv", f"--text={HELLO}"], "alone"),
        (["--text= "], "text is empty"),
        (["--text=안녕하세요."], "starts with a speaker"),
        ([], "wanted from=FILE"),
    ):
        one_line(copy, "exp001", options, part)
    assert old.read_bytes() == before
    one_line(copy, "exp003", [f"--text={HELLO}"], "has not been trained")
    one_line(copy, "exp001-none", [f"--text={HELLO}"], "has not been trained")
    one_line(copy, "exp999", [f"--text={HELLO}"], "exp999")
    code, output = predicted(copy, "exp001", f"--from={source}", f"--to={old}", "--force")
    assert code == 0 and old.read_bytes() != before, output


def test_a_stale_checkpoint_warns_and_predicts(copy: Path, tmp_path: Path) -> None:
    root = shutil.copytree(copy, tmp_path / "changed")
    path = root / "outputs" / "daily_talk" / "exp001" / "run.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    changed = sorted({*record["train"]["code"], "common/data/dialogue.py"})
    record["train"]["code"] = dict.fromkeys(changed, "0" * 64)
    path.write_text(json.dumps(record), encoding="utf-8")
    code, output = predicted(root, "exp001", f"--text={HELLO}")
    assert code == 0 and f"the checkpoint is stale: code {changed[0]} has changed; " in output, output
    assert f"; and {len(changed) - 3} more. make submit will reject it" in output, output
