"""Out of memory while decoding: half the batch, then the next ones too, and nothing is lost."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from common.core.errors import UserError
from common.generation.halving import Halving
from common.generation.hf import hf_decoder
from common.generation.resumable import generate
from tests.support.decoding import BEAM, GREEDY, SAMPLED, WORDS, sources_of

MIXED = replace(GREEDY, samples=3, samples_temperature=1.3)


def small_memory(model: PreTrainedModel, most: int) -> tuple[Any, list[int]]:
    """Make the model run out of memory with more than `most` rows; return the hook and the rows of each forward pass."""
    rows: list[int] = []

    def run_out(_: Any, __: Any, inputs: dict[str, Any]) -> None:
        size = max(len(value) for value in inputs.values() if isinstance(value, torch.Tensor))
        rows.append(size)
        if size > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    return model.register_forward_pre_hook(run_out, with_kwargs=True), rows


@pytest.mark.parametrize(
    ("kind", "config", "most"),
    [
        ("qwen2", GREEDY, 3),
        ("qwen2", MIXED, 12),
        ("bart", SAMPLED, 9),
        ("bart", BEAM, 12),
        ("qwen2", GREEDY, 1),
    ],
    ids=["greedy", "greedy-and-samples", "sampled", "beams", "one-alone"],
)
def test_a_batch_that_does_not_fit_is_halved(
    taught_models: dict[str, PreTrainedModel], tmp_path: Path, caplog: pytest.LogCaptureFixture,
    kind: str, config: Any, most: int,
) -> None:  # fmt: skip
    model, sources = taught_models[kind], sources_of(kind, 10)
    (tmp_path / "whole").mkdir()
    (tmp_path / "halved").mkdir()
    calm = tmp_path / "whole" / "dev.jsonl"
    whole = generate(hf_decoder(model, WORDS), sources, config, calm, key="k", seed=1)
    hook, rows = small_memory(model, most)
    try:
        with caplog.at_level(logging.WARNING, "common.generation.halving"):
            found = generate(
                hf_decoder(model, WORDS), sources, config, tmp_path / "halved" / "dev.jsonl", key="k", seed=1
            )
    finally:
        hook.remove()
    assert list(found) == list(whole)
    for ours, theirs in zip(found.values(), whole.values(), strict=True):
        assert [(c.text, c.tokens, c.cut) for c in ours] == [(c.text, c.tokens, c.cut) for c in theirs]
        assert [c.logprob for c in ours] == pytest.approx([c.logprob for c in theirs], abs=1e-6)
    said = [record.getMessage() for record in caplog.records if record.name == "common.generation.halving"]
    failures = sum(size > most for size in rows)
    assert len(said) == failures <= 4
    assert said[0].startswith("out of memory with 10 texts at once; going on with half as many")


def test_later_batches_start_with_what_fits(taught_models: dict[str, PreTrainedModel]) -> None:
    decoder = hf_decoder(taught_models["qwen2"], WORDS)
    sources = list(sources_of("qwen2", 8).values())
    hook, rows = small_memory(taught_models["qwen2"], 4)
    try:
        decoder(sources, GREEDY, 1)
        assert [size for size in rows if size > 4] == [8]
        rows.clear()
        decoder(sources, GREEDY, 1)
        assert max(rows) <= 4
    finally:
        hook.remove()


def test_one_dialogue_that_does_not_fit_gets_the_advice(
    taught_models: dict[str, PreTrainedModel], tmp_path: Path
) -> None:
    """And what was decoded before it is kept."""
    hook, _ = small_memory(taught_models["qwen2"], 0)
    decoder = hf_decoder(taught_models["qwen2"], WORDS)
    try:
        with pytest.raises(
            UserError, match=r"^out of memory; one dialogue alone does not fit: .* fewer --samples"
        ):
            generate(decoder, sources_of("qwen2", 3), GREEDY, tmp_path / "dev.jsonl", key="k", seed=1)
    finally:
        hook.remove()


def test_other_errors_and_models_that_processes_share_are_not_halved() -> None:
    calls: list[int] = []

    def fails(sources: Any, *_: Any) -> Any:
        calls.append(len(sources))
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        Halving(fails)([[1], [2]], GREEDY, 0)

    def full(sources: Any, *_: Any) -> Any:
        calls.append(len(sources))
        raise torch.OutOfMemoryError("CUDA out of memory.")

    with pytest.raises(torch.OutOfMemoryError):
        Halving(full, shared=True)([[1], [2]], GREEDY, 0)
    assert calls == [2, 2]
