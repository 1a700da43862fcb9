"""What a start lacks is said before torch is loaded, in one line, and nothing is written: real processes in a repository."""

import csv
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from common.core import vllm_release
from common.core.config import override
from common.core.errors import UserError
from common.data.competition_file import load_competition
from common.models.config import PretrainedConfig
from common.runs import disk_room, requirements
from common.runs.requirements import Start, require_room, require_start
from experiments.exp002.config import Config as Small
from experiments.exp003.config import Config as Full
from experiments.exp010.config import Config as Adapters
from tests.support import REPOSITORY
from tests.support import repository as repositories
from tests.support.commands import failed, started
from tests.support.disk import mounted

WITHOUT = {"CUDA_VISIBLE_DEVICES": "", "SOLAR_API_KEY": "", "HF_HUB_OFFLINE": "", "TRANSFORMERS_OFFLINE": ""}
"""A machine without GPU, key and other switches, whatever this one has."""


def everything(folder: Path) -> dict[str, bytes | None]:
    """Every folder (None) and file with its content, locks included."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
        if "__pycache__" not in path.parts
    }


@pytest.fixture
def real(repository: Path) -> Path:
    """The repository with the experiments that need something."""
    for name in ("exp003", "exp004", "exp006", "exp008", "exp010", "exp012", "exp013"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / "experiments" / name, repository / "experiments" / name, ignore=ignored)
    return repository


def model(root: Path, change: Callable[[Path], object]) -> None:
    """Write a folder that looks like an mBART, and spoil it."""
    folder = root / "bought"
    folder.mkdir()
    (folder / "config.json").write_text(
        '{"model_type": "mbart", "is_encoder_decoder": true}', encoding="utf-8"
    )
    tokens = {"added_tokens": [{"id": 5, "content": "ko_KR"}], "model": {"type": "BPE", "vocab": {"a": 0}}}
    (folder / "tokenizer.json").write_text(json.dumps(tokens), encoding="utf-8")
    header = b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    change(folder)


def keep(_: Path) -> None:
    """Spoil nothing."""


def without_topics(folder: Path) -> None:
    """Empty the column topic of the training rows."""
    path = folder.parent / "competitions" / "talk" / "data" / "train.csv"
    with path.open(encoding="utf-8", newline="") as handle:
        header, *rows = csv.reader(handle)
    with path.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows([header, *([*row[:3], ""] for row in rows)])


@dataclass(frozen=True)
class Case:
    """A command that cannot succeed, and parts of what it says."""

    words: str
    parts: tuple[str, ...]
    variables: Mapping[str, str] | None = None
    model: Callable[[Path], object] | None = None


TRAIN_CSV = "competitions/talk/data/train.csv"
CASES = {
    "no GPU": Case("train exp012", ("needs a GPU with 15 GB and this machine has no GPU", "--gpu-memory 0")),
    "flash attention": Case(
        "train exp010 --attention flash_attention_2", ("--attention flash_attention_2", "leave --attention at auto")
    ),
    "fp16": Case("train exp010 --precision fp16", ("--precision fp16 needs a GPU", "leave --precision at auto")),
    "Liger": Case("train exp010 --kernels liger", ("--kernels liger needs an NVIDIA GPU", "leave --kernels at torch")),
    "no key": Case("train exp006", ("no API key: SOLAR_API_KEY is neither", "Add the line SOLAR_API_KEY=")),
    "a broken key": Case("train exp006", ("the key SOLAR_API_KEY in the environment", "Copy the key again"),
                         {"SOLAR_API_KEY": "schlüssel-1234567"}),
    "no model name": Case("train exp006 --llm.model=", ("llm: no model is set",), {"SOLAR_API_KEY": "a" * 20}),
    "no folder": Case("train exp003 --model no/such/place", ("neither an existing folder nor a hub id",)),
    "a name no hub has": Case("train exp003 --model a--b/c", ("neither an existing folder nor a hub id",)),
    "hub off": Case("train exp003 --model owner/none", ("not in the local cache", "unset HF_HUB_OFFLINE"),
                    {"HF_HUB_OFFLINE": "1", "HF_HOME": "/nonexistent"}),
    "not merged": Case("train exp003 --model outputs/talk/merged/exp010", ("does not exist yet", "make merge run=exp010")),
    "no config.json": Case("train exp003 --model bought", ("bought: no config.json; wanted",),
                           model=lambda f: (f / "config.json").unlink()),
    "config.json is text": Case("train exp003 --model bought", ("bought/config.json: not valid JSON",),
                                model=lambda f: (f / "config.json").write_text("model")),
    "config.json is a list": Case("train exp003 --model bought", ("bought/config.json: holds a list",),
                                  model=lambda f: (f / "config.json").write_text("[]")),
    "a type nobody knows": Case("train exp003 --model bought", ("model_type 'mbort' is not known to transformers",),
                                model=lambda f: (f / "config.json").write_text('{"model_type": "mbort"}')),
    "no tokenizer": Case("train exp003 --model bought", ("bought: no tokenizer",),
                         model=lambda f: (f / "tokenizer.json").unlink()),
    "half of the weights": Case("train exp003 --model bought", ("model.safetensors is damaged or truncated",),
                                model=lambda f: (f / "model.safetensors").write_bytes(b"\x40")),
    "only adapters": Case("train exp003 --model bought", ("a LoRA adapter without its model",),
                          model=lambda f: (f / "model.safetensors").rename(f / "adapter_config.json")),
    "dropout on experts": Case("train exp012 --gpu-memory 0 --quantization none --model bought",
                               ("--dropout 0.05: adapters of the experts of qwen3_moe", "use --dropout 0, or"),
                               model=lambda f: (f / "config.json").write_text('{"model_type": "qwen3_moe", "num_experts": 8}')),
    "topics without a topic": Case("train exp012 --gpu-memory 0 --quantization none --model bought --topic",
                                   ("--topic: 0 of the 3 training rows have a topic", "Leave --topic out."), model=without_topics),
    "a revision of a folder": Case("train exp003 --model bought --revision main", ("has no revisions",), model=keep),
    "another language": Case("train exp004 --model bought --language kr_KO", ("language 'kr_KO' is not a token of",), model=keep),
    "no augmented rows": Case("train exp008", ("augmented/back_translation/rows.csv: not found", "make augment method=back_translation comp=talk")),
    "no merged model": Case("train exp013", ("outputs/talk/merged/exp010' does not exist yet", "make merge run=exp010")),
    "not trained": Case("infer exp003", ("outputs/talk/exp003 has not been trained; first run: make exp=exp003 train",)),
    "no such run": Case("infer exp001 --run=exp001-b", ("exp001-b has not been trained; first run: make exp=exp001 train run=",)),
    "run of another": Case("train exp003 --run exp004-a", ("run='exp004-a': wanted exp003 or exp003-NAME, as in exp003-a; NAME has",)),
    "tracking": Case("train exp001 --run=exp001-b --track=online", ("track=online:", "use track=offline"), {"WANDB_MODE": ""}),
    "augment without key": Case("augment --method paraphrase --model=some", ("no API key: SOLAR_API_KEY", "args=\"--key-name=\"")),
    "augment hub off": Case("augment --method back_translation", ("facebook/m2m100_418M", "unset HF_HUB_OFFLINE"),
                            {"HF_HUB_OFFLINE": "1", "HF_HOME": "/nonexistent"}),
    "augment without folder": Case("augment --method back_translation --model no/such/place", ("neither an existing folder",)),
    "augment by NLLB": Case("augment --method back_translation --model facebook/nllb-200", ("CC-BY-NC-4.0",)),
    "augment too many": Case("augment --method turn_drop --parents 99", ("n=99: wanted 1 to 3",)),
    "merge of no adapters": Case("merge exp001", ("has no adapters to merge",)),
    "merge of nothing": Case("merge exp001-b", ("has not been trained",)),
    "postprocess of nothing": Case("postprocess --run exp001-b", ("infer has not finished",)),
    "smoke without data": Case("smoke exp003 exp004", ("smoke: exp003: no competition 'daily_talk'",)),
    "smoke of nothing": Case("smoke exp001 exp099", ("'exp099' does not exist",)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_a_start_lacks_is_one_line_and_nothing_is_written(real: Path, name: str) -> None:
    case = CASES[name]
    if case.model:
        model(real, case.model)
    before = everything(real)
    variables = {**WITHOUT, **(case.variables or {})}
    if not case.words.startswith("smoke"):  # which reads what its own process prints
        variables["PYTHONPROFILEIMPORTTIME"] = "1"
    ended = started(real, sys.executable, "-m", "common", *case.words.split(), **variables)
    said = [line for line in ended.stderr.splitlines() if not line.startswith("import time:")]
    loaded = {
        line.rpartition("|")[2].strip()
        for line in ended.stderr.splitlines()
        if line.startswith("import time:")
    }
    ended.stderr = "\n".join(said)
    failed(ended, *case.parts)
    assert len(said) == 1
    assert everything(real) == before
    assert "torch" not in loaded


SPOILT: dict[str, tuple[Callable[[Path], object], str]] = {
    "only test": (lambda d: [(d / f"{kind}.csv").unlink() for kind in ("train", "dev")], "train.csv, competitions/talk/data/dev.csv: not there"),
    "no dev": (lambda d: (d / "dev.csv").unlink(), "competitions/talk/data/dev.csv: not there"),
    "no test": (lambda d: (d / "test.csv").unlink(), "competitions/talk/data/test.csv: not there"),
    "a folder": (lambda d: [(d / "dev.csv").unlink(), (d / "dev.csv").mkdir()], "dev.csv: not there"),
    "empty": (lambda d: (d / "dev.csv").write_bytes(b""), "dev.csv"),
    "not text": (lambda d: (d / "test.csv").write_bytes(b"\xff\xfe\x00"), "test.csv"),
    "another header": (lambda d: (d / "train.csv").write_text("a,b\n1,2\n"), "train.csv"),
    "an open quote": (lambda d: (d / "train.csv").write_text((d / "train.csv").read_text() + '"train_9'), "train.csv"),
}  # fmt: skip


@pytest.mark.parametrize("how", SPOILT)
@pytest.mark.parametrize("stage", ["train", "infer"])
def test_data_that_cannot_be_read_stops_every_stage_before_it_starts(
    repository: Path, how: str, stage: str
) -> None:
    spoil, part = SPOILT[how]
    spoil(repository / "competitions" / "talk" / "data")
    before = everything(repository)
    failed(started(repository, sys.executable, "-m", "common", stage, "exp001", "--turn=0"), part)
    assert everything(repository) == before


def test_a_training_that_has_finished_needs_no_gpu_any_more(repository: Path) -> None:
    """The machine that trained it had one; this one only shows and decodes the run."""
    config = repository / "experiments" / "exp001" / "config.py"
    text = config.read_text(encoding="utf-8")
    text = text.replace(
        "    turn:",
        "    base: PretrainedConfig = PretrainedConfig('owner/large', gpu_memory=9999)\n    turn:",
    )
    config.write_text(
        text.replace("TITLE", "from common.models.config import PretrainedConfig\n\nTITLE", 1),
        encoding="utf-8",
    )
    train = (sys.executable, "-m", "common", "train", "exp001")
    failed(started(repository, *train, "--restart"), "owner/large needs a GPU with 9999 GB")
    repositories.stage(repository, "exp001", "train", "--restart")
    before = everything(repository)
    for more in ((), ("--renew",)):
        ended = started(repository, *train, *more)
        assert (ended.returncode, ended.stdout) == (0, "")
        assert ended.stderr.endswith("is already trained; add restart=1 to train it again.\n")
        assert everything(repository) == before
    failed(started(repository, *train, "--renew", "--seed=2"), "owner/large needs a GPU with 9999 GB")
    assert everything(repository) == before
    assert started(repository, sys.executable, "-m", "common", "infer", "exp001").returncode == 0


def test_outputs_that_are_no_folder_are_said(repository: Path) -> None:
    shutil.rmtree(repository / "outputs")
    (repository / "outputs").write_text("mine", encoding="utf-8")
    before = everything(repository)
    ended = started(repository, sys.executable, "-m", "common", "train", "exp001")
    failed(ended, "outputs: is not a folder; move it away.")
    assert everything(repository) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_outputs_of_somebody_else_are_said(repository: Path) -> None:
    (repository / "outputs" / "talk").chmod(0o500)
    ended = started(repository, sys.executable, "-m", "common", "train", "exp001", "--run=exp001-b")
    (repository / "outputs" / "talk").chmod(0o700)
    failed(ended, "cannot be written (Permission denied); make it writable")


def test_a_full_disk_is_said_before_anything_is_written(repository: Path) -> None:
    shutil.rmtree(repository / "outputs")
    (repository / "outputs").mkdir()
    with mounted(repository / "outputs", "2m"):
        ended = started(repository, sys.executable, "-m", "common", "train", "exp001")
        assert not list((repository / "outputs").iterdir())
    failed(ended, "outputs/talk/exp001: needs about 8.4 MB, but only 2.1 MB are free on that disk; make room")


# --- in this process: machines that this one is not


@pytest.fixture
def start(repository: Path) -> Start:
    return Start("train", Small(), load_competition("talk"), repository / "outputs" / "talk" / "exp009")


def free(patch: pytest.MonkeyPatch, megabytes: float) -> None:
    patch.setattr(disk_room.shutil, "disk_usage", lambda _: Usage(int(megabytes * 2**20)))


@dataclass(frozen=True)
class Usage:
    free: int


def test_room_is_wanted_for_checkpoints_and_model(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    small = replace(start, settings=replace(Small(), model=replace(Small().model, width=1024, layers=6)))
    weights = 6 * (12 * 1024**2 + 4 * 1024 * 512) // 2 + 1024 * 4000
    wanted = weights * 4 * (1 + 2 * 3) / 2**20  # the model, and two checkpoints with AdamW's two moments
    free(monkeypatch, wanted - 1)
    with pytest.raises(
        UserError, match=r"needs about 1\.3 GB, but only 1\.3 GB are free.*lower --keep-checkpoints \(now 2\)"
    ):
        require_room(small)
    free(monkeypatch, wanted + 1)
    require_room(small)
    free(monkeypatch, 9)
    require_room(replace(small, stage="infer"))
    require_room(replace(small, smoke=True))
    free(monkeypatch, 0.5)
    with pytest.raises(UserError, match=r"needs about 1\.0 MB, but only 524 kB"):
        require_room(replace(small, smoke=True))


def test_files_of_the_run_count_as_room(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    free(monkeypatch, 10)
    with pytest.raises(UserError, match="needs about"):
        require_room(start)
    start.folder.mkdir()
    (start.folder / "checkpoint").write_bytes(bytes(20 * 2**20))
    require_room(start)


def test_room_for_pretrained_weights_counts_when_all_are_trained(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = start.folder.parents[2]
    model(
        root,
        lambda f: (f / "model.safetensors").write_bytes(
            (f / "model.safetensors").read_bytes() + bytes(4 * 2**20)
        ),
    )
    full = replace(Full(), base=replace(Full().base, model=str(root / "bought")))
    free(monkeypatch, 20)
    with pytest.raises(UserError, match="needs about 29 MB"):
        require_room(replace(start, settings=full))
    adapters = replace(Adapters(), base=full.base)
    require_room(replace(start, settings=adapters))


GPUS: dict[str, tuple[int | None, tuple[float, int] | None, str]] = {
    "none": (0, None, "this machine has no GPU"),
    "a small one": (1, (11.8, 8), "needs a GPU with 15 GB and this machine has a GPU with 11.8 GB"),
    "an old one": (1, (32.0, 7), "needs bfloat16, which this GPU does not support"),
    "a right one": (1, (79.6, 9), ""),
    "nobody knows": (None, None, ""),
}


@pytest.mark.parametrize("machine", GPUS)
def test_a_gpu_is_refused_only_when_it_certainly_does_not_do(
    start: Start, monkeypatch: pytest.MonkeyPatch, machine: str
) -> None:
    count, best, message = GPUS[machine]
    monkeypatch.setattr(requirements.gpus, "gpu_count", lambda: count)
    monkeypatch.setattr(requirements.gpus, "best_gpu", lambda: best)
    wanting = replace(Full(), base=replace(Full().base, model="tiny:bart", gpu_memory=15))
    begin = replace(start, settings=wanting)
    if message:
        with pytest.raises(UserError, match=message):
            require_start(begin)
    else:
        require_start(begin)


@pytest.mark.parametrize(
    ("count", "processes", "engine", "message"),
    [
        (2, 4, "hf", "gpus=4 needs 4 GPUs, but this machine has 2; lower it."),
        (2, 2, "hf", ""),
        (0, 4, "hf", ""),  # processes on the CPU
        (None, 4, "hf", ""),
        (0, 1, "vllm", "--engine vllm needs a CUDA GPU"),
        (1, 1, "vllm", "--vllm-gpus 2: this machine has 1 GPUs"),
        (2, 1, "vllm", ""),
        (3, 2, "vllm", "gpus=2 with --vllm-gpus 2 needs 4 GPUs, but this machine has 3; lower one of them."),
        (4, 2, "vllm", ""),
        (None, 1, "vllm", ""),
    ],
)
def test_more_gpus_than_there_are(
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
    count: int | None,
    processes: int,
    engine: str,
    message: str,
) -> None:
    monkeypatch.setattr(requirements.gpus, "gpu_count", lambda: count)
    monkeypatch.setattr(requirements, "require_vllm", lambda: None)
    decoding = replace(Small().decoding, engine=engine, vllm_gpus=2 if engine == "vllm" else 1)
    begin = replace(start, stage="infer", settings=replace(Small(), decoding=decoding), processes=processes)
    if message:
        with pytest.raises(UserError) as refused:
            require_start(begin)
        assert str(refused.value).startswith(message)
    else:
        require_start(begin)


def test_processes_that_share_no_model_are_refused(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them would ask the API for everything, and pay."""
    monkeypatch.setattr(requirements.gpus, "gpu_count", lambda: 0)
    nothing = dataclass(frozen=True)(type("Nothing", (), {}))()
    require_start(replace(start, settings=nothing))
    with pytest.raises(UserError, match="gpus=2: this experiment has no model that processes could share"):
        require_start(replace(start, settings=nothing, processes=2))


def test_a_package_that_a_setting_needs_is_named(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "find_spec", lambda _: None)
    nf4 = replace(Full(), base=replace(Full().base, model="tiny:bart", quantization="nf4"))
    with pytest.raises(
        UserError, match=r"^--quantization nf4: the package bitsandbytes is not installed; run: "
    ):
        require_start(replace(start, settings=nf4))
    other = replace(Small(), decoding=replace(Small().decoding, engine="ctranslate2"))
    require_start(replace(start, settings=other))  # only infer uses it
    with pytest.raises(
        UserError, match=r"^--engine ctranslate2: the package ctranslate2 is not installed; run: "
    ):
        require_start(replace(start, settings=other, stage="infer"))


def test_liger_that_is_not_installed_is_one_line(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements.gpus, "gpu_count", lambda: 1)
    training = replace(Small().training, kernels="liger")
    begin = replace(start, settings=replace(Small(), training=training))
    monkeypatch.setattr(requirements, "_installed", lambda module: module != "liger_kernel")
    with pytest.raises(UserError, match=r"liger_kernel is not installed; run: .*-e '\.\[liger\]'"):
        require_start(begin)
    monkeypatch.setattr(requirements, "_installed", lambda module: True)
    require_start(begin)


def test_liger_is_refused_before_bart_is_made() -> None:
    with pytest.raises(
        UserError, match=r"^--kernels liger: Liger has no kernels for BART, which exp002 trains"
    ):
        override(Small(), ["--kernels=liger"])


@pytest.mark.parametrize("count", [1, None])
def test_vllm_that_is_not_installed_is_one_line(
    start: Start, monkeypatch: pytest.MonkeyPatch, count: int | None
) -> None:
    monkeypatch.setattr(requirements.gpus, "gpu_count", lambda: count)
    monkeypatch.setattr(vllm_release, "find_spec", lambda _: None)
    settings = replace(Small(), decoding=replace(Small().decoding, engine="vllm"))
    require_start(replace(start, settings=settings))  # only infer uses it
    with pytest.raises(UserError, match=r"^--engine vllm: the package vllm is not installed in .*venv-vllm"):
        require_start(replace(start, settings=settings, stage="infer"))


@pytest.mark.parametrize(
    ("name", "commit", "moved"),
    [("old place/model", None, True), ("owner/name", "c0ffee", False), ("owner/name", None, True), ("tiny:bart", None, False)],
)  # fmt: skip
def test_a_base_that_has_moved_is_said_and_a_link_to_it_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, commit: str | None, moved: bool
) -> None:
    """A model of the hub has a commit; one without was a folder when the adapters were trained."""
    monkeypatch.chdir(tmp_path)
    base = {"config": {"model": name}, "source": {"model": name, "commit": commit}}
    (tmp_path / "base.json").write_text(json.dumps(base), encoding="utf-8")
    if not moved:
        assert requirements.recorded_weights(tmp_path) == PretrainedConfig(name, revision=commit)
        return
    link = f"ln -s NEW_FOLDER {shlex.quote(name)}"
    with pytest.raises(
        UserError, match=f"adapters for the model in '{name}', and there is no .*{re.escape(link)}$"
    ):
        requirements.recorded_weights(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    Path(name).parent.mkdir()
    subprocess.run(link.replace("NEW_FOLDER", str(tmp_path / "elsewhere")), shell=True, check=True)
    found = requirements.recorded_weights(tmp_path)
    assert found is not None and found.model == name
