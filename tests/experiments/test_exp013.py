"""exp013 and exp012 learn from their own summaries, resume, and say which model they lack."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from common.core import verified_folder
from common.core.config import override
from common.core.files import read_json, write_json
from common.models.tiny import tiny as tiny_folder
from common.runs.candidates import read, write
from common.runs.record import read_record
from common.training import checkpoints
from experiments.exp012 import config as flagship
from tests.support import repository as repositories
from tests.support import tiny

pytestmark = pytest.mark.usefixtures("model_cache")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.repository(tmp_path_factory.mktemp("copy") / "repository", train_rows=24, other_rows=4)


# In 32 bits like the other trainings of this process: accelerate has one precision for good.
SHORT = ["--competition=daily_talk", "--model=tiny:gemma3", "--max-new-tokens=8", "--sampled=3", "--dialogues=10",
         "--dev-rows=2", "--rank=2", "--sampled-temperature=1.5", "--tokens-per-batch=400", "--dtype=float32",
         "--checkpoint-minutes=0", "--keep-checkpoints=100"]  # fmt: skip


def test_a_killed_run_goes_on_from_what_it_drew(copy: Path, caplog: pytest.LogCaptureFixture) -> None:
    def trained(*more: str) -> str:
        caplog.clear()
        with caplog.at_level("INFO"):
            repositories.stage(copy, "exp013", "train", *SHORT, "--run=exp013-a", *more)
        return caplog.text

    trained()
    folder = copy / "outputs" / "daily_talk" / "exp013-a"
    path = folder / "train" / "candidates.jsonl"
    sampled, best = read(path), verified_folder.fingerprint(folder / "best")
    assert len(sampled) == 10 and all(len(found) == 4 for found in sampled.values())
    notes = read_record(folder)["train"]["notes"]["sampled"]
    assert notes["best"] >= notes["mean"] >= 0
    record = read_record(folder)
    record["train"]["status"] = "running"

    def killed_at(step: int) -> None:
        write_json(folder / "run.json", record)
        for made in checkpoints.steps(folder / "checkpoints"):
            if int(made.name.rsplit("-", 1)[-1]) > step:
                shutil.rmtree(made)

    killed_at(2)
    said = trained("--tokens-at-once=300")  # lower, as after an error of memory
    assert "resuming at step 2" in said
    assert read(path) == sampled and verified_folder.fingerprint(folder / "best") == best

    killed_at(2)
    with pytest.raises(SystemExit, match=r"summaries that were sampled with other settings.* restart=1"):
        trained("--max-new-tokens=7")
    assert read(path) == sampled

    first = next(iter(sampled))
    sampled[first] = [replace(sampled[first][0], text="다른 요약"), *sampled[first][1:]]
    write(path, sampled)
    killed_at(2)
    with pytest.raises(SystemExit, match=r"was made with other settings, data.* restart=1"):
        trained()
    killed_at(0)  # before the first checkpoint: what was sampled is not sampled again
    assert "resuming" not in trained()
    assert read(path) == sampled


def test_the_flagship_learns_so_too(copy: Path) -> None:
    words = ["--smoke", "--competition=daily_talk", "--own-scores", "--quantization=none", "--attention=sdpa",
             "--sampled-temperature=1.5", "--dtype=float32"]  # fmt: skip
    repositories.stage(copy, "exp012", "train", *words)
    assert (copy / "outputs" / "smoke" / "daily_talk" / "exp012" / "train" / "candidates.jsonl").exists()
    for wrong, said in (
        ("--source-loss=0.2", "--own-scores has its own loss and cannot be combined"),
        ("--sharding=fsdp", "--own-scores cannot sample from a sharded model"),
    ):
        with pytest.raises(SystemExit, match=said):
            repositories.stage(copy, "exp012", "train", *words, wrong)


def test_a_merged_model_is_not_quantized_again(copy: Path, caplog: pytest.LogCaptureFixture) -> None:
    shutil.copytree(tiny_folder("tiny:qwen2"), copy / "outputs" / "daily_talk" / "merged" / "exp012")
    words = ["--smoke", "--competition=daily_talk", "--run=exp012-m", "--own-scores", "--attention=sdpa",
             "--sampled-temperature=1.5", "--dtype=float32", "--model=outputs/daily_talk/merged/exp012"]  # fmt: skip
    with caplog.at_level("INFO"):
        repositories.stage(copy, "exp012", "train", *words)
    said = "outputs/daily_talk/merged/exp012 is a merged model: it is loaded in 16 bits (--quantization none)"
    assert caplog.text.count(said) == 1
    folder = copy / "outputs" / "smoke" / "daily_talk" / "exp012-m"
    assert read_record(folder)["train"]["config"]["base.quantization"] == "none"
    assert read_json(folder / "best" / "base.json")["config"]["quantization"] == "none"
    repositories.stage(copy, "exp012", "infer", *words[:3])  # with the settings of the training
    assert read_record(folder)["infer"]["config"]["base.quantization"] == "none"


def test_who_asks_for_bits_gets_them() -> None:
    merged = "--model=outputs/daily_talk/merged/exp012"
    for words, wanted in (
        ([merged], "none"),
        ([merged, "--own-scores"], "none"),
        ([merged, "--quantization=nf4"], "nf4"),
        (["--quantization=int8", merged], "int8"),
        (["--model=merged/large"], "nf4"),  # a hub id
        ([], "nf4"),
    ):
        assert override(flagship.Config(), words)[0].base.quantization == wanted


@pytest.mark.parametrize(
    ("words", "run"), [((), "exp010"), (("--model=outputs/daily_talk/merged/exp010-z",), "exp010-z")]
)
def test_without_the_model_it_says_how_to_make_it(copy: Path, words: tuple[str, ...], run: str) -> None:
    with pytest.raises(SystemExit) as ended:
        repositories.stage(
            copy, "exp013", "train", "--competition=daily_talk", f"--run=exp013-b{len(words)}", *words
        )
    assert str(ended.value) == (
        f"error: model 'outputs/daily_talk/merged/{run}' does not exist yet; train {run}, "
        f"then create it with: make merge run={run} comp=daily_talk."
    )
