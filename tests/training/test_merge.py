"""`make merge`: adapters added into the weights, and training that goes on from there."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from click.testing import CliRunner
from filelock import FileLock
from peft import PeftModel

from common.core import verified_folder
from common.core.errors import UserError
from common.core.files import read_json, write_json
from common.core.paths import merged_folder, run_folder
from common.generation import engines, hf
from common.generation.config import DecodingConfig
from common.models import hub, storage
from common.models.config import PretrainedConfig
from common.models.pretrained import load_pretrained, source_record
from common.models.storage import load_model, to_bfloat16_on_cpu
from common.runs.record import read_record
from common.training.merge import command, merge_run
from tests.support import repository as repositories
from tests.support import tiny
from tests.support.disk import full_disk

# In 32 bits like the other trainings of this process: accelerate has one precision for good.
FEW = ("--epochs=1", "--dev-rows=2", "--max-new-tokens=4", "--samples=1", "--rank=2", "--dtype=float32")
SMALL = ("--model=tiny:gemma3", *FEW)
IDS = torch.tensor([[5, 6, 7, 8, 9]])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a trained exp010, and what a run without adapters leaves."""
    root = tiny.repository(tmp_path_factory.mktemp("merging") / "repository", train_rows=12, other_rows=3)
    (root / ".active-competition").write_text("daily_talk\n", encoding="utf-8")
    repositories.stage(root, "exp010", "train", *SMALL)
    (root / "outputs" / "daily_talk" / "exp002" / "best").mkdir(parents=True)
    record = read_record(root / "outputs" / "daily_talk" / "exp010")
    record["train"] |= {"code": {}, "data": {}, "runs": {}}
    write_json(root / "outputs" / "daily_talk" / "exp002" / "run.json", record)
    return root


@pytest.fixture
def repository(whole: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KDS_ROOT", str(whole))
    return whole


@torch.no_grad()
def test_a_merged_run_says_what_the_run_says_and_is_trained_on_from(repository: Path) -> None:
    said = CliRunner().invoke(command, ["exp010"])
    assert said.exit_code == 0, said.output
    assert (
        '  make exp=exp010 train run=exp010-NAME args="--model=outputs/daily_talk/merged/exp010"'
        in said.output
    )
    run = run_folder("daily_talk", "exp010")
    folder = run.with_name("merged") / "exp010"
    assert verified_folder.problem(folder) is None and not (folder / "adapter_config.json").exists()
    model, _ = load_pretrained(PretrainedConfig(model=str(folder), dtype="float32"), frozen=True)
    adapted, _ = load_model(run / "best", dtype="float32")
    base, _ = load_pretrained(PretrainedConfig(model="tiny:gemma3", dtype="float32"), "causal", frozen=True)
    logits = [one.eval()(input_ids=IDS).logits for one in (model, adapted, base)]
    gap = float((logits[1] - logits[2]).abs().max())  # training changed something
    assert float((logits[0] - logits[1]).abs().max()) < gap / 10

    with torch.enable_grad():
        repositories.stage(repository, "exp010", "train", f"--model={folder}", *FEW, "--run=exp010-b")
    second = run_folder("daily_talk", "exp010-b")
    made_of = read_record(second)["train"]["runs"]
    assert made_of == {"outputs/daily_talk/exp010": verified_folder.fingerprint(run / "best")}
    recorded = read_json(second / "best" / "base.json")["source"]
    assert recorded["weights_sha256"] == source_record(hub.locate(str(folder)))["weights_sha256"]
    repositories.stage(repository, "exp010", "infer", f"--model={folder}", *FEW, "--run=exp010-b")
    assert (second / "dev" / "predictions.csv").exists()


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ("exp002", r"exp002/best has no adapters to merge; a run that trains all weights"),
        (
            "exp010-x",
            r"exp010-x has not been trained; first run: make exp=exp010 train run=exp010-x",
        ),
        ("best", r"run 'best': wanted an experiment"),
    ],
)
def test_what_cannot_be_merged_is_refused(repository: Path, run: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        merge_run("daily_talk", run)


def test_a_merge_waits_for_no_other_of_the_same_run(repository: Path) -> None:
    """Both would write into one staging folder, and the first to end would publish what the other has half written."""
    folder = run_folder("daily_talk", "exp010").with_name("merged")
    folder.mkdir(exist_ok=True)
    before = sorted(folder.rglob("*"))
    with (
        FileLock(folder / ".exp010.lock"),
        pytest.raises(
            UserError, match=r"merged/exp010: another make merge is writing it; wait for it to end\.$"
        ),
    ):
        merge_run("daily_talk", "exp010")
    assert {*before, folder / ".exp010.lock"} >= set(folder.rglob("*")) >= set(before)


def test_a_full_disk_is_named_before_anything_is_written(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The weights of a tiny model are made first, so their size is only known once they are there."""
    monkeypatch.setattr("common.runs.disk_room.shutil.disk_usage", lambda _: SimpleNamespace(free=100_000))
    before = sorted(repository.rglob("*"))
    with pytest.raises(
        UserError, match=r"merged/exp010: needs about \d+ kB, but only 100 kB are free .* make room\.$"
    ):
        merge_run("daily_talk", "exp010")
    assert sorted(repository.rglob("*")) == before


def test_a_disk_that_fills_while_merging_leaves_nothing_and_names_no_checkpoint(repository: Path) -> None:
    target = merged_folder("daily_talk", "exp010")
    there = target.exists()
    kept = "What was there before is unchanged" if there else "No incomplete files are left"
    with (
        full_disk(100_000),
        pytest.raises(
            UserError, match=rf"merged/exp010: saving failed \(.*free there\. {kept}: make room and run"
        ),
    ):
        merge_run("daily_talk", "exp010")
    assert target.exists() == there
    assert not verified_folder.staging_folder(target).exists()


def test_a_causal_model_decodes_in_16_bits_where_they_are_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "device", lambda: torch.device("cpu"))
    for computes, kind, wanted in (
        (True, "gemma3", torch.bfloat16),
        (False, "gemma3", torch.float32),
        (True, "bart", torch.float32),
    ):
        monkeypatch.setattr(storage, "computes_in_bf16", lambda computes=computes: computes)
        config = PretrainedConfig(model=f"tiny:{kind}", dtype="float32")
        assert to_bfloat16_on_cpu(load_pretrained(config, frozen=True)[0]).dtype == wanted


@torch.no_grad()
def test_in_16_bits_distant_tokens_are_where_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    """The very same as weights that are loaded in 16 bits, whose rotary frequencies stay in 32."""
    monkeypatch.setattr(storage, "device", lambda: torch.device("cpu"))
    monkeypatch.setattr(storage, "computes_in_bf16", lambda: True)
    config = PretrainedConfig(model="tiny:gemma3", dtype="float32")
    lighter = to_bfloat16_on_cpu(load_pretrained(config, frozen=True)[0])
    loaded, _ = load_pretrained(replace(config, dtype="bfloat16"), frozen=True)
    ids = (torch.arange(400) * 7 % 300 + 5).unsqueeze(0)
    assert torch.equal(lighter(input_ids=ids).logits, loaded(input_ids=ids).logits)
    rounded = [buffer for name, buffer in lighter.named_buffers() if "inv_freq" in name]
    assert rounded and all(buffer.dtype == torch.float32 for buffer in rounded)


@pytest.mark.parametrize("merge", [True, False])
def test_what_decodes_is_merged_and_light_when_asked(
    repository: Path, monkeypatch: pytest.MonkeyPatch, merge: bool
) -> None:
    monkeypatch.setattr(storage, "device", lambda: torch.device("cpu"))
    monkeypatch.setattr(storage, "computes_in_bf16", lambda: True)
    seen: list[object] = []
    monkeypatch.setattr(hf, "hf_decoder", lambda model, *_: seen.append(model))
    engines.decoder(run_folder("daily_talk", "exp010") / "best", DecodingConfig(merge=merge))
    assert isinstance(seen[0], PeftModel) is not merge
    assert seen[0].dtype == (torch.bfloat16 if merge else torch.float32)
