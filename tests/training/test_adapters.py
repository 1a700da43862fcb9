"""fit() with adapters: small checkpoints, the same bits after a crash, evaluations that decode as the run does."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import PreTrainedModel

from common.data.competition_file import load_competition
from common.generation import hf
from common.generation.dev_scores import dev_evaluation
from common.generation.hf import decode
from common.models.storage import load_model
from common.tokenization.config import LengthConfig
from common.tokenization.layout import text_template
from tests.support import tiny
from tests.support.adapted import GREEDY, LORA, CrashError, adapted, base_of, fitted, logits_of

pytestmark = pytest.mark.usefixtures("model_cache", "fresh_precision")


@pytest.mark.parametrize("kind", ["bart", "gemma3"])
def test_checkpoints_hold_adapters_alone(tmp_path: Path, kind: str) -> None:
    base = base_of(kind)
    model, _, losses = fitted(tmp_path / "run", base)
    assert losses[-1] < losses[0]
    (newest, *_) = sorted((tmp_path / "run" / "checkpoints").glob("step-*"), reverse=True)
    held = load_file(newest / "trained.safetensors")
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    assert held.keys() == trained.keys()
    assert all(torch.equal(held[name], p) for name, p in trained.items())
    elsewhere = [
        p for p in newest.iterdir() if p.suffix in (".safetensors", ".bin") and "optimizer" not in p.name
    ]
    assert [p.name for p in elsewhere] == ["trained.safetensors"]
    assert not (tmp_path / "run" / "best" / "model.safetensors").exists()
    loaded, _ = load_model(tmp_path / "run" / "best")
    torch.testing.assert_close(logits_of(loaded), logits_of(model.eval()))


@pytest.mark.parametrize(("kind", "quantization"), [("mbart", "none"), ("gemma3", "nf4")])
def test_adapters_resume_to_the_same_bits(tmp_path: Path, kind: str, quantization: str) -> None:
    base = base_of(kind, quantization=quantization, dtype="auto")
    fitted(tmp_path / "calm", base, 8, dropout=0.2)
    with pytest.raises(CrashError):
        fitted(tmp_path / "run", base, 8, dropout=0.2, crash_at=3)
    assert [p.name for p in sorted((tmp_path / "run" / "checkpoints").glob("step-*"))][-1] == "step-00000004"
    torch.manual_seed(99)
    fitted(tmp_path / "run", base, 8, dropout=0.2)
    files = [Path("best/adapter_model.safetensors"), Path("checkpoints/step-00000008/trained.safetensors")]
    for file in (*files, Path("checkpoints/step-00000008/optimizer.safetensors"), Path("metrics.jsonl")):
        assert (tmp_path / "run" / file).read_bytes() == (tmp_path / "calm" / file).read_bytes(), file


@pytest.mark.parametrize("merge", [True, False])
def test_training_is_judged_as_the_run_decodes(merge: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    model, tokenizer = adapted(base_of("gemma3"), LORA)
    judged: list[PreTrainedModel] = []

    def watched(model: PreTrainedModel, *rest: Any, **how: Any) -> Any:
        judged.append(model)
        return decode(model, *rest, **how)

    monkeypatch.setattr(hf, "decode", watched)
    evaluate = dev_evaluation(
        load_competition("daily_talk"), tiny.rows(3), tokenizer, LengthConfig(120),
        text_template(tokenizer, "", "\n"), replace(GREEDY, max_new_tokens=4, merge=merge),
    )  # fmt: skip
    assert evaluate(model)["distinct"] > 0
    assert [isinstance(one, PeftModel) for one in judged] == [not merge]
