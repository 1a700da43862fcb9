"""Stages: what a refused start leaves, and what a run.json of a wrong shape does."""

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from common.core.errors import UserError
from common.core.provenance import hardware
from common.runs.record import other_threads, read_record, stale_reasons
from tests.support import repository as repositories

RUN = "outputs/talk/exp001"


def said(repository: Path, *words: str) -> str:
    with pytest.raises(SystemExit) as end:
        repositories.stage(repository, *words)
    return str(end.value.code)


def everything(folder: Path) -> list[str]:
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if "__pycache__" not in path.parts
    )


def broken(repository: Path, work: str) -> None:
    path = repository / "experiments" / "exp001" / "train.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("    rows = len", f"    {work}\n    rows = len"), encoding="utf-8")


REFUSE = "from common.core.errors import UserError; raise UserError('too long')"


@pytest.mark.parametrize("outputs", ["with other runs", "without any"])
def test_a_refused_start_leaves_neither_folder_nor_lock(repository: Path, outputs: str) -> None:
    if outputs == "without any":
        shutil.rmtree(repository / "outputs")
    broken(repository, REFUSE)
    before = everything(repository)
    assert said(repository, "exp001", "infer", "--run=exp001-new").startswith(
        "error: outputs/talk/exp001-new has not"
    )
    assert said(repository, "exp001", "train", "--run=exp001-new") == "error: too long"
    assert said(repository, "exp001", "train", "--run=exp001-new", "--restart") == "error: too long"
    assert everything(repository) == before


def test_a_refusal_keeps_what_was_there(repository: Path) -> None:
    broken(repository, "(run.folder / 'bad_batch.pt').touch(); " + REFUSE)
    assert said(repository, "exp001", "train", "--run=exp001-new") == "error: too long"
    assert sorted(p.name for p in (repository / "outputs/talk/exp001-new").iterdir()) == [
        "bad_batch.pt",
        "run.json",
    ]
    before = everything(repository / RUN)
    assert "too long" not in said(repository, "exp001", "infer", "--turn=1")
    assert everything(repository / RUN) == before


def test_a_signal_before_anything_is_made_leaves_nothing(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before_handler = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    broken(repository, f"import os; os.kill({os.getpid()}, {signal.SIGTERM}); import time; time.sleep(9)")
    before = everything(repository)
    try:
        assert said(repository, "exp001", "train", "--run=exp001-new") == "143"
    finally:
        signal.signal(signal.SIGTERM, before_handler)
    assert capsys.readouterr().err.splitlines()[-1] == (
        "interrupted by SIGTERM; there is no checkpoint yet: the same command begins from the start."
    )
    assert everything(repository) == before


@pytest.mark.parametrize("work", [REFUSE, "raise RuntimeError('a bug')"])
def test_a_start_that_fails_keeps_what_an_earlier_one_recorded(repository: Path, work: str) -> None:
    """The predictions of the last infer stay valid, and the run that restart=1 moved aside comes back."""
    for stage, words in (("infer", ()), ("train", ("--restart",)), ("train", ("--turn=1", "--restart"))):
        path = repository / "experiments" / "exp001" / f"{stage}.py"
        whole = path.read_text(encoding="utf-8")
        path.write_text(
            whole.replace("(run: Run[Config]) -> None:\n", f"(run: Run[Config]) -> None:\n    {work}\n"),
            encoding="utf-8",
        )
        before = {
            file: (repository / file).is_dir() or (repository / file).read_bytes()
            for file in everything(repository)
        }
        with pytest.raises((SystemExit, RuntimeError)) as end:
            repositories.stage(repository, "exp001", stage, *words)
        assert "too long" in str(end.value) or "a bug" in str(end.value)
        assert {
            file: (repository / file).is_dir() or (repository / file).read_bytes()
            for file in everything(repository)
        } == before
        path.write_text(whole, encoding="utf-8")
    assert stale_reasons(repository / RUN) == []


def interrupted(repository: Path, *made: str) -> None:
    """A new run whose training was killed after it had made these files."""
    folder = repository / "outputs" / "talk" / "exp001-new"
    folder.mkdir()
    content = json.loads((repository / RUN / "run.json").read_text(encoding="utf-8"))
    del content["infer"]
    content["train"] |= {"status": "running", "checkpoint": None}
    (folder / "run.json").write_text(json.dumps(content), encoding="utf-8")
    for name in made:
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text("{}", encoding="utf-8")


def test_a_start_that_was_killed_before_it_made_anything_does_not_bind_the_next(repository: Path) -> None:
    interrupted(repository)
    repositories.stage(repository, "exp001", "train", "--run=exp001-new", "--turn=1")
    train = read_record(repository / "outputs/talk/exp001-new")["train"]
    assert (train["status"], train["config"]["turn"]) == ("finished", 1)


@pytest.mark.parametrize(
    "made", ["checkpoints/step-000010/state.json", "best/m.json", "train/candidates.jsonl"]
)
def test_a_training_that_has_made_something_binds_the_next_start(repository: Path, made: str) -> None:
    interrupted(repository, made)
    before = everything(repository)
    message = said(repository, "exp001", "train", "--run=exp001-new", "--turn=1")
    assert "was trained with other settings: turn was 0, is 1" in message
    assert everything(repository) == before


def stages(change: Callable[[dict[str, Any]], Any]) -> Callable[[Any], Any]:
    def spoil(content: Any) -> Any:
        changed = change(content["train"])
        return content if changed is None else {**content, "train": changed}

    return spoil


SHAPES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "a list": (lambda _: [], "found a list"),
    "a number": (lambda _: 7, "found a int"),
    "null": (lambda _: None, "found a NoneType"),
    "a stage that is a list": (stages(lambda _: []), "stage 'train' is a list"),
    "a stage without a status": (stages(lambda t: {n: v for n, v in t.items() if n != "status"}), "lacks 'status'"),
    "a stage without code": (stages(lambda t: {n: v for n, v in t.items() if n != "code"}), "lacks 'code'"),
    "finished without checkpoint": (stages(lambda t: {n: v for n, v in t.items() if n != "checkpoint"}), "'checkpoint'"),
    "data that is a list": (stages(lambda t: t | {"data": [1]}), "'data' of stage 'train' is a list"),
    "data without hash": (stages(lambda t: t | {"data": {"a.csv": {"rows": 1}}}), "lacks a hash"),
    "code that is numbers": (stages(lambda t: t | {"code": {"a.py": 1}}), "not a text"),
    "status that is a number": (stages(lambda t: t | {"status": 1}), "'status' of stage 'train' is a int"),
    "processes that are text": (stages(lambda t: t | {"processes": "2"}), "'processes' of stage 'train' is a str"),
    "notes that are null": (stages(lambda t: t | {"notes": None}), "'notes' of stage 'train' is a NoneType"),
}  # fmt: skip


def spoilt(repository: Path, shape: str) -> str:
    """Give a record a wrong shape; return the message about it."""
    path = repository / RUN / "run.json"
    spoil, message = SHAPES[shape]
    path.write_text(json.dumps(spoil(json.loads(path.read_text(encoding="utf-8")))), encoding="utf-8")
    with pytest.raises(UserError, match=r"exp001/run\.json: not a run record \(") as refused:
        read_record(repository / RUN)
    assert message in str(refused.value)
    assert str(refused.value).endswith("; train again with restart=1.")
    return str(refused.value)


def test_a_record_of_a_wrong_shape_is_one_line(repository: Path) -> None:
    path = repository / RUN / "run.json"
    whole = path.read_bytes()
    for shape in SHAPES:
        message = spoilt(repository, shape)
        for words in (("train",), ("train", "--renew"), ("infer",)):
            assert said(repository, "exp001", *words) == f"error: {message}"
        path.write_bytes(whole)


@pytest.mark.parametrize("shape", ["a list", "data without hash"])
def test_restart_replaces_a_record_of_a_wrong_shape(repository: Path, shape: str) -> None:
    spoilt(repository, shape)
    repositories.stage(repository, "exp001", "train", "--restart")
    assert read_record(repository / RUN)["train"]["status"] == "finished"
    repositories.stage(repository, "exp001", "infer")
    assert stale_reasons(repository / RUN) == []


def test_other_numbers_of_threads_are_said(repository: Path) -> None:
    files = [
        repository / "outputs" / "talk" / run / "dev" / "predictions.csv" for run in ("exp001", "exp002")
    ]
    assert other_threads(*files) == ""
    for number, file in enumerate(files, 1):
        path = file.parent.parent / "run.json"
        content = json.loads(path.read_text(encoding="utf-8"))
        content["train"]["hardware"]["threads"] = number
        content["infer"]["hardware"]["threads"] = 4
        path.write_text(json.dumps(content), encoding="utf-8")
    assert other_threads(*files) == (
        "train used 1 CPU threads in a and 2 in b: on a CPU this alone changes weights and scores a little"
    )
    assert other_threads(files[0], files[0]) == ""
    assert other_threads(files[0], Path("/elsewhere.csv")) == ""


def test_the_threads_are_recorded_and_a_resume_with_others_is_noted(repository: Path) -> None:
    import torch

    assert hardware()["threads"] == torch.get_num_threads()
    path = repository / RUN / "run.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["train"] |= {"status": "running"}
    content["train"]["hardware"]["threads"] = 99
    path.write_text(json.dumps(content), encoding="utf-8")
    repositories.stage(repository, "exp001", "train")
    train = read_record(repository / RUN)["train"]
    assert (train["notes"]["threads_before"], train["hardware"]["threads"]) == ([99], torch.get_num_threads())
