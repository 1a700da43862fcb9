"""Members that are missing, stale or half-made stop a submit with the command that makes them."""

import json
import logging
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from common.data.competition_file import load_competition
from common.runs.record import read_record, stale_reasons
from common.submission import ledger, members
from tests.support import repository as repositories
from tests.support.submitting import RUN, refused, solo, submit


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


# Members that are absent or no longer what they were


def test_a_missing_member_stops_with_the_command(repository: Path) -> None:
    shutil.rmtree(repository / RUN)
    command = "run: make exp=exp001 train && make exp=exp001 infer"
    message = refused(
        repository, "1 of 2 members", "exp001: train has not finished", command, "missing=train"
    )
    assert "stale=ok" not in message
    refused(repository, command, allow_stale=True)


def test_a_member_cut_off_between_stages(repository: Path) -> None:
    record = read_record(repository / RUN)
    record["infer"]["status"] = "running"
    (repository / RUN / "run.json").write_text(json.dumps(record), encoding="utf-8")
    message = refused(repository, "exp001: infer has not finished", "run: make exp=exp001 infer")
    assert "train &&" not in message
    edit(repository / "experiments/exp001/train.py", "rows = len", "rows = 0 * len")
    # Training is finished but stale: without restart=1 it would be refused.
    refused(repository, "run: make exp=exp001 train restart=1 && make exp=exp001 infer")


BOTH = "run: make exp=exp001 train restart=1 && make exp=exp001 infer\n"
INFER = "run: make exp=exp001 infer\n"


@pytest.mark.parametrize(
    ("change", "reason", "command"),
    [
        (lambda h: edit(h / "experiments/exp001/infer.py", "turn + 1", "turn + 2"), "code experiments/exp001/infer.py has changed", INFER),
        (lambda h: edit(h / "experiments/exp001/train.py", "rows = len", "rows = 0 * len"), "code experiments/exp001/train.py has changed", BOTH),
        (lambda h: edit(h / "experiments/exp001/config.py", "turn: int = 0", "turn: int = 1"), "code experiments/exp001/config.py has changed",
         INFER + "    or, if a training setting was changed: make exp=exp001 train restart=1 && make exp=exp001 infer\n"),
        (lambda h: edit(h / "competitions/talk/data/train.csv", "일상", "하루"), "data competitions/talk/data/train.csv has changed", BOTH),
        (lambda h: edit(h / RUN / "best/m.json", "0", "1"), "outputs/talk/exp001/best cannot be used: outputs/talk/exp001/best/m.json has changed since it was saved", BOTH),
        (lambda h: shutil.rmtree(h / RUN / "best"), "outputs/talk/exp001/best cannot be used", BOTH),
        (lambda h: edit(h / RUN / "test/predictions.csv", "#Person1#", "#Person2#"), f"result {RUN}/test/predictions.csv has changed", INFER),
    ],
    ids=["infer code", "train code", "config.py", "data", "checkpoint", "checkpoint gone", "predictions"],
)  # fmt: skip
def test_a_stale_member_stops_with_the_command(
    repository: Path, change: Callable[[Path], None], reason: str, command: str
) -> None:
    submit(repository)
    change(repository)
    message = refused(
        repository, "submissions/talk.toml: ", f"exp001: {reason}", command, "missing=train", "stale=ok"
    )
    assert message.count(reason) == (2 if "data" in reason else 1)  # exp002 read that data too


def test_stale_members_can_be_accepted_and_that_is_recorded(repository: Path) -> None:
    edit(repository / "experiments/exp001/infer.py", "turn + 1", "turn + 2")
    made = submit(repository, allow_stale=True)
    assert made.entry["stale"] == {"exp001": ["code experiments/exp001/infer.py has changed"]}
    assert ledger.entries()[0]["stale"] == made.entry["stale"]


def test_a_variant_is_named_with_its_settings(repository: Path) -> None:
    repositories.stage(repository, "exp001", "train", "--run", "exp001-second", "--turn", "1")
    repositories.stage(repository, "exp001", "infer", "--run", "exp001-second")
    text = solo().replace('"exp001"', '"exp001-second"')
    assert submit(repository, text=text).entry["members"][0]["run"] == "exp001-second"
    edit(repository / "experiments/exp001/train.py", "rows = len", "rows = 0 * len")
    refused(
        repository,
        'make exp=exp001 train run=exp001-second args="--turn=1" restart=1 && make exp=exp001 infer run=exp001-second',
    )
    # Trained anew by submit itself, it stays the variant that it was.
    again = submit(repository, missing="train")
    assert read_record(repository / "outputs/talk/exp001-second")["train"]["config"]["turn"] == 1
    assert again.entry["stale"] == {}


@pytest.mark.slow
def test_a_member_is_made_again_in_as_many_processes_as_it_was(repository: Path) -> None:
    """In fewer, the same settings would make smaller steps, and nothing would say so."""
    record = read_record(repository / RUN)
    record["train"]["processes"] = 2
    (repository / RUN / "run.json").write_text(json.dumps(record), encoding="utf-8")
    # The checkpoint is the first process's to write, and stale in any case.
    save = "verified_folder.save(run.folder"
    edit(repository / "experiments/exp001/train.py", save, f"distributed.rank() or {save}")
    edit(
        repository / "experiments/exp001/train.py",
        "core import verified_folder",
        "core import distributed, verified_folder",
    )
    # Only experiments that decode with a model take gpus=.
    edit(
        repository / "experiments/exp001/config.py",
        "    seed: int = 1\n",
        "    seed: int = 1\n    decoding: int = 0\n",
    )
    refused(repository, "run: make exp=exp001 train gpus=2 restart=1 && make exp=exp001 infer\n")
    assert submit(repository, text=solo(), missing="train").entry["stale"] == {}
    made = read_record(repository / RUN)
    assert (made["train"]["processes"], made["infer"]["processes"]) == (2, 1)


def test_a_variant_nobody_recorded_is_not_made_up(repository: Path) -> None:
    (repository / "submissions/talk.toml").write_text(
        solo().replace('"exp001"', '"exp001-third"'), encoding="utf-8"
    )
    refused(
        repository,
        "exp001-third",
        "cannot be trained automatically",
        'run=exp001-third args="…"',
        missing="train",
    )


def test_missing_train_makes_what_is_absent_or_outdated(repository: Path) -> None:
    shutil.rmtree(repository / "outputs/talk/exp002")
    edit(repository / "experiments/exp001/config.py", "turn: int = 0", "turn: int = 1")  # a training setting
    made = submit(repository, missing="train")
    assert made.entry["stale"] == {}
    assert read_record(repository / RUN)["train"]["config"]["turn"] == 1
    assert stale_reasons(repository / RUN) == stale_reasons(repository / "outputs/talk/exp002") == []


def test_a_member_that_cannot_be_trained_stops_the_submit(
    repository: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    edit(repository / "experiments/exp001/train.py", "    run.finish()", "    raise UserError('no')")
    edit(
        repository / "experiments/exp001/train.py",
        "import write_json",
        "import write_json\nfrom common.core.errors import UserError",
    )
    refused(repository, "exp001: train failed (see above)", missing="train")
    assert "error: no" in capfd.readouterr().err


def lack_a_gpu(repository: Path) -> None:
    """exp002 wants a GPU that no machine has."""
    config = repository / "experiments" / "exp002" / "config.py"
    edit(
        config,
        "    turn: int",
        "    base: PretrainedConfig = PretrainedConfig(model='owner/large', gpu_memory=9999)\n    turn: int",
    )
    edit(config, "\nTITLE", "from common.models.config import PretrainedConfig\n\nTITLE")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lack_a_gpu, "exp002: owner/large needs a GPU with 9999 GB"),
        (
            lambda r: edit(r / "experiments/exp002/config.py", "turn: int", "turns: int"),
            "exp002: --turn: no such setting.",
        ),
        (
            lambda r: (r / "competitions/talk/data/sample_submission.csv").unlink(),
            "sample_submission.csv",
        ),
        (lambda r: (r / "competitions/talk/data/solution.csv").write_text("x"), "solution.csv"),
        (lambda r: (r / "submissions/ledger.jsonl").write_text("none of it\n"), "submissions/ledger.jsonl"),
    ],
    ids=["no GPU", "a setting that is gone", "no sample", "another solution", "a broken ledger"],
)
def test_what_the_last_member_or_the_blend_lacks_is_said_before_the_first_is_trained(
    repository: Path, spoil: Callable[[Path], object], message: str
) -> None:
    for number, run in enumerate(("exp001", "exp002")):
        folder = repository / "outputs" / "talk" / run
        record = read_record(folder)
        record["train"] |= {"status": "running", "overrides": {"turn": number}}
        (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    spoil(repository)
    before = {
        path: path.is_dir() or path.read_bytes()
        for path in repository.rglob("*")
        if "__pycache__" not in path.parts
    }
    refused(repository, message, missing="train")
    after = {
        path: path.is_dir() or path.read_bytes()
        for path in repository.rglob("*")
        if "__pycache__" not in path.parts
    }
    assert after == before


def test_jobs_say_with_how_many_threads_make_train_gives_the_same(
    repository: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    started: list[str | None] = []

    def run_all(commands: object, name: str, running: members._Running) -> None:
        started.append(f"{name} {running.threads}")

    monkeypatch.setattr(members, "_run_all", run_all)
    monkeypatch.setattr("common.core.threads.cores", lambda: 8)
    talk = load_competition("talk")
    with caplog.at_level(logging.WARNING, logger="common"):
        members.train_and_infer(["exp001"], talk, 2)  # OMP_NUM_THREADS is set for the tests: the same in both
        assert caplog.messages == []
        monkeypatch.delenv("OMP_NUM_THREADS")
        members.train_and_infer(["exp001"], talk, 1)
        assert caplog.messages == []
        members.train_and_infer(["exp001", "exp002"], talk, 2)
    assert started == ["exp001 4", "exp001 None", "exp001 4", "exp002 4"]
    assert caplog.messages == [
        "jobs=2: CPU threads of each run: 4. On a CPU its weights differ in the last digits from those of make train with "
        "another number; OMP_NUM_THREADS=4 make train gives the same."
    ]


def test_a_signal_is_passed_on_to_the_trainings(repository: Path) -> None:
    """They end as with a signal of their own, and no other is started."""
    for run in ("exp001", "exp002"):
        shutil.rmtree(repository / "outputs" / "talk" / run)
    train = repository / "experiments" / "exp001" / "train.py"
    edit(
        train,
        "    rows = len",
        "    import time\n    print('trains', flush=True)\n    time.sleep(60)\n    rows = len",
    )
    command = [sys.executable, "-m", "common", "submit", "--missing", "train", "--jobs", "1"]
    process = subprocess.Popen(
        command, cwd=repository, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    assert process.stderr is not None
    begun = [process.stderr.readline()]
    while "trains" not in begun[-1]:
        assert begun[-1], begun
        begun.append(process.stderr.readline())
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 143
    assert errors.splitlines() == [
        "exp001  interrupted by SIGTERM; there is no checkpoint yet: the same command begins from the start.",
        "interrupted by SIGTERM; run the same command again.",
    ]
    assert not (repository / "outputs" / "talk" / "exp001").exists()
    assert not (repository / "outputs" / "talk" / "exp002").exists()
