"""Provide tiny rows, tokenizers and models, and a repository with little data, for tests that use torch."""

import csv
import io
import logging
import os
import random
import re
import runpy
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate.state import AcceleratorState
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from common import cli
from common.core import signals
from common.core.errors import UserError
from common.core.signals import SIGNALS
from common.data.rows import Row
from common.models.config import PretrainedConfig, SmallModelConfig
from common.models.pretrained import load_pretrained
from common.models.small import small_bart, small_qwen2
from common.tokenization.tokenizer import train_bpe
from tests.support import REPOSITORY
from tests.support import repository as stages

TAGS = ("#Person1#", "#Person2#", "#Person3#", "#PhoneNumber#", "#Email#")
SIZE = SmallModelConfig(width=64, layers=1, feed_forward=64, dropout=0.0, positions=256)
THINGS = ("우산", "김밥", "기차표", "책상", "자전거", "꽃다발", "커피", "달력")
PLACES = ("시장", "역 앞", "도서관", "3층 회의실", "학교", "공원")
# Small enough for seconds, long enough for several checkpoints; every step writes one.
SETTINGS = [
    "--competition=daily_talk",
    "--vocabulary=400",
    "--dev-rows=2",
    "--width=64",
    "--layers=1",
    "--feed-forward=64",
    "--dropout=0.1",
    "--epochs=3",
    "--tokens-per-batch=1024",
    "--precision=no",
    "--learning-rate=0.003",
    "--evaluate-every=0.5",
    "--checkpoint-minutes=0",
]


def rows(count: int, prefix: str = "train", seed: int = 0) -> list[Row]:
    """Return dialogues of two to five turns; the summary names the purchase, the place and the time."""
    rng = random.Random(seed)
    made = []
    for number in range(count):
        thing, place, hour = rng.choice(THINGS), rng.choice(PLACES), rng.randint(1, 12)
        turns = [
            f"#Person1#: {thing} 어디서 살까요?",
            f"#Person2#: {place}에서 {hour}시에 봐요.",
            "#Person1#: 네, 좋아요. 제 번호는 #PhoneNumber#예요.",
            "#Person3#: 저도 같이 갈게요!",
            "#Person2#: 그럼 모두 거기서 만나요.",
        ][: rng.randint(2, 5)]
        summary = f"#Person1#과 #Person2#는 {hour}시에 {place}에서 {thing}을 사기로 한다."
        made.append(Row(f"{prefix}_{number}", "\n".join(turns), (summary,), "약속"))
    return made


def tokenizer(vocabulary: int = 400) -> PreTrainedTokenizerFast:
    """Return a tokenizer trained on a few rows."""
    texts = [text for row in rows(40) for text in (row.dialogue, *row.summaries)]
    return train_bpe(texts, vocabulary, TAGS)


def model(
    kind: str, tokenizer: PreTrainedTokenizerFast, size: SmallModelConfig = SIZE, seed: int = 0
) -> PreTrainedModel:
    """Return a random "bart" or "qwen2", the same one for the same seed."""
    torch.manual_seed(seed)
    return {"bart": small_bart, "qwen2": small_qwen2}[kind](size, tokenizer)


def loud(kind: str) -> PreTrainedModel:
    """Return a tiny pretrained model in float64, with weights large enough for clearly different logits."""
    model, _ = load_pretrained(PretrainedConfig(model=f"tiny:{kind}"), frozen=False)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model.double().eval()


def _write(path: Path, header: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerows([header, *cells])


def repository(root: Path, train_rows: int = 60, other_rows: int = 6) -> Path:
    """Copy common/ and experiments/ and a daily_talk with few rows to a folder, to run commands there."""
    for folder in (
        "common",
        "experiments",
    ):  # with the compiled kernels, so that numba does not compile them again
        shutil.copytree(REPOSITORY / folder, root / folder)
    talk = root / "competitions" / "daily_talk"
    (talk / "data").mkdir(parents=True)
    toml = (REPOSITORY / "competitions" / "daily_talk" / "competition.toml").read_text(encoding="utf-8")
    sections = toml.split("\n[")
    for index, section in enumerate(sections):
        count = train_rows if section.startswith("files.train]") else other_rows
        section = re.sub(r"\brows = \d+", f"rows = {count}", section)
        sections[index] = re.sub(r"\blast = \d+", f"last = {count - 1}", section)
    toml = "\n[".join(sections).replace(
        "near_copy = 0.6", "near_copy = 0.999"
    )  # one template makes all of them
    (talk / "competition.toml").write_text(toml, encoding="utf-8")
    header = ["fname", "dialogue", "summary", "topic"]
    for split, count in (("train", train_rows), ("dev", other_rows)):
        cells = [[r.id, r.dialogue, r.summaries[0], r.topic] for r in rows(count, split, seed=count)]
        _write(talk / "data" / f"{split}.csv", header, cells)
    tests = rows(other_rows, "test", seed=2)
    _write(talk / "data" / "test.csv", header[:2], [[r.id, r.dialogue] for r in tests])
    _write(talk / "data" / "sample_submission.csv", ["", "fname", "summary"],
           [[str(i), r.id, "요약"] for i, r in enumerate(tests)])  # fmt: skip
    _write(talk / "data" / "solution.csv", ["fname", "summary1", "summary2", "summary3"],
           [[r.id, *(r.summaries * 3)] for r in tests])  # fmt: skip
    return root


def start(root: Path, *arguments: str) -> "subprocess.Popen[str]":
    """Start `python -m ARGUMENTS` in a repository and capture its output."""
    environment = {
        name: value for name, value in os.environ.items() if name not in ("KDS_ROOT", "PYTHONPATH")
    }
    return subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=root,
        env=environment | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        preexec_fn=lambda: [
            signal.signal(number, signal.SIG_DFL) for number in SIGNALS
        ],  # nohup ignores SIGHUP
    )


def run(root: Path, *arguments: str) -> tuple[int, str]:
    """Return exit code and output of `python -m ARGUMENTS` in a repository."""
    process = start(root, *arguments)
    output, _ = process.communicate()
    return process.returncode, output


class _ReplacedError(Exception):
    """Replaces os.execv: the command becomes `python -m ARGUMENTS`."""


def _replaced(_: str, command: list[str]) -> None:
    assert command[1:3] == ["-m", "common.core.launch"]
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals.SIGNALS)  # as launch.py does
    raise _ReplacedError(command[3:])


def _module(root: Path, *arguments: str) -> None:
    """Run `python -m ARGUMENTS` inside this process."""
    if arguments[0] == "common":
        try:
            cli.commands(list(arguments[1:]), prog_name="python -m common")
        except UserError as error:
            sys.exit(f"error: {error}")
        except _ReplacedError as replaced:
            _module(root, *replaced.args[0])
    elif arguments[0].startswith("experiments."):
        stages.stage(root, *arguments[0].split(".")[1:], *arguments[1:])
    else:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", list(arguments))
            patch.delitem(sys.modules, f"{arguments[0]}.__main__", raising=False)
            runpy.run_module(arguments[0], run_name="__main__")


def call(root: Path, *arguments: str) -> tuple[int, str]:
    """Return the same as `run`, but without a new process: no interpreter starts and no library is loaded again.

    Tests of signals, of several processes and of crashes need a new process: `run`.
    """
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    logger = logging.getLogger("common")
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(written), redirect_stderr(written):
        patch.chdir(root)
        patch.setenv("KDS_ROOT", str(root))
        patch.setattr(os, "execv", _replaced)
        patch.setattr(logger, "level", logging.INFO)
        logger.addHandler(handler)
        # accelerate chooses a precision only once per process
        AcceleratorState._reset_state(reset_partial_state=True)
        code: Any = 0
        try:
            _module(root, *arguments)
        except SystemExit as ended:
            code = ended.code
        finally:
            logger.removeHandler(handler)
            AcceleratorState._reset_state(reset_partial_state=True)
    if isinstance(code, str):
        written.write(f"{code}\n")
        code = 1
    return code or 0, written.getvalue()


def example(source: Sequence[int], target: Sequence[int]) -> dict[str, Any]:
    """Return an example as collate functions need it."""
    return {"source": list(source), "target": list(target)}
