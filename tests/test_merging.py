"""`make merge`: adapters added into the weights, and training that goes on from there."""

from pathlib import Path

import house as houses
import pytest
import tiny
import torch
from click.testing import CliRunner

from common import checkpoints, hub, merging, models, runs
from common.errors import UserError
from common.files import read_json, write_json
from common.models import storage

FEW = ("--epochs=1", "--dev-rows=2", "--max-new-tokens=4", "--samples=1", "--rank=2")
SMALL = ("--model=tiny:gemma3", *FEW)
IDS = torch.tensor([[5, 6, 7, 8, 9]])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a trained exp010, and what a run without adapters leaves."""
    root = tiny.repository(tmp_path_factory.mktemp("merging") / "repository", train_rows=12, other_rows=3)
    (root / ".active-competition").write_text("daily_talk\n", encoding="utf-8")
    houses.stage(root, "exp010", "train", *SMALL)
    (root / "outputs" / "daily_talk" / "exp002" / "best").mkdir(parents=True)
    write_json(root / "outputs" / "daily_talk" / "exp002" / "run.json", {"train": {"status": "finished"}})
    return root


@pytest.fixture
def repository(whole: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KDS_ROOT", str(whole))
    return whole


@torch.no_grad()
def test_a_merged_run_says_what_the_run_says_and_is_trained_on_from(repository: Path) -> None:
    said = CliRunner().invoke(merging.command, ["exp010"])
    assert said.exit_code == 0, said.output
    assert "--model=outputs/daily_talk/exp010/merged trains on from it" in said.output
    run = runs.run_folder("daily_talk", "exp010")
    folder = run / "merged"
    assert checkpoints.problem(folder) is None and not (folder / "adapter_config.json").exists()
    model, _ = models.pretrained(models.PretrainedConfig(model=str(folder), dtype="float32"), frozen=True)
    adapted, _ = models.load(run / "best", dtype="float32")
    base, _ = models.pretrained(
        models.PretrainedConfig(model="tiny:gemma3", dtype="float32"), "causal", frozen=True
    )
    logits = [one.eval()(input_ids=IDS).logits for one in (model, adapted, base)]
    gap = float((logits[1] - logits[2]).abs().max())  # training changed something
    assert float((logits[0] - logits[1]).abs().max()) < gap / 10

    with torch.enable_grad():
        houses.stage(repository, "exp010", "train", f"--model={folder}", *FEW, "--run=exp010-b")
    second = runs.run_folder("daily_talk", "exp010-b")
    recorded = read_json(second / "best" / "base.json")["source"]
    assert recorded["weights_sha256"] == storage.source_record(hub.locate(str(folder)))["weights_sha256"]
    houses.stage(repository, "exp010", "infer", f"--model={folder}", *FEW, "--run=exp010-b")
    assert (second / "dev" / "predictions.csv").exists()


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ("exp002", r"exp002/best has no adapters to merge; if it holds weights, it is whole already"),
        (
            "exp010-x",
            r"exp010-x has not been trained; first run: make exp=exp010 train run=exp010-x",
        ),
        ("best", r"run 'best': wanted an experiment"),
    ],
)
def test_what_cannot_be_merged_is_refused(repository: Path, run: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        merging.merge("daily_talk", run)


def test_a_causal_model_decodes_in_16_bits_where_they_are_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    for computes, kind, wanted in (
        (True, "gemma3", torch.bfloat16),
        (False, "gemma3", torch.float32),
        (True, "bart", torch.float32),
    ):
        monkeypatch.setattr(storage, "computes_in_bf16", lambda computes=computes: computes)
        config = models.PretrainedConfig(model=f"tiny:{kind}", dtype="float32")
        assert models.lighter(models.pretrained(config, frozen=True)[0]).dtype == wanted
