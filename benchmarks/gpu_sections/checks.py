"""Sections `environment` and `sameness`: what machine this is, and whether the GPU computes what the CPU computes."""

import subprocess
import tempfile
from contextlib import suppress
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset

from common.generation.config import DecodingConfig
from common.generation.hf import hf_decoder
from common.tokenization.batches import collate_causal, collate_seq2seq
from common.training import policy_gradient
from common.training.config import TrainingConfig
from common.training.loop import fit
from common.training.losses import cross_entropy
from gpu_sections.loops import fresh_precision
from gpu_sections.parts import GIB, Bench, bandwidth, causal_config, device, rows, seconds, tokenizer

PACKAGES = ("torch", "transformers", "peft", "accelerate", "bitsandbytes", "datasets", "trl", "liger-kernel")
LOSS_GAP, GRADIENT_GAP, SAME_TOKENS = 2e-3, 2e-2, 0.95
"""Largest relative differences, and the smallest share of equal greedy tokens: matrices may be multiplied in TF32."""


def environment(bench: Bench) -> None:
    """Report the GPU, the driver, the packages, the speed of matrix products and the memory bandwidth."""
    with bench.case("machine") as found:
        found |= {name: _version(name) for name in PACKAGES}
        found |= {
            "gpu": None,
            "capability": None,
            "memory_gib": None,
            "driver": None,
            "cuda": torch.version.cuda,
        }
        if torch.cuda.is_available():
            card = torch.cuda.get_device_properties(0)
            found |= {"gpu": card.name, "capability": f"{card.major}.{card.minor}",
                      "memory_gib": round(card.total_memory / GIB, 1), "driver": _driver()}  # fmt: skip
    with bench.case("speed") as found:
        size = 256 if bench.tiny else 8192
        left = torch.randn(size, size, device=device(), dtype=torch.bfloat16)
        right = torch.randn_like(left)
        left @ right
        taken = seconds(lambda: [left @ right for _ in range(10)]) / 10
        found["bf16_tflops"] = round(2 * size**3 / taken / 1e12, 2)
        found["gigabytes_per_second"] = round(bandwidth(bench.tiny) / 1e9)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _driver() -> str | None:
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.splitlines()[0].strip()


def sameness(bench: Bench) -> None:
    """Compare losses, gradients and greedy tokens of the CPU and the GPU, and a resumed training with one in one go."""
    tokens = tokenizer()
    examples = rows(8, 60, 12, 400)
    for name in ("qwen2", "bart"):
        with bench.case(f"loss and gradients, {name}") as found:
            found |= _gradients(_pair(name, tokens), examples, tokens)
    with bench.case("loss of own scores") as found:
        found |= _own_scores(_pair("qwen2", tokens), examples, tokens)
    for name in ("qwen2", "bart"):
        with bench.case(f"greedy tokens, {name}") as found:
            found |= _greedy(_pair(name, tokens), examples, tokens)
    with bench.case("resume") as found:
        found |= _resume(examples, tokens)


def _small(name: str, tokens: Any) -> Any:
    """Return a small float32 model without dropout, on the CPU; equal for equal random states."""
    from transformers import BartConfig, BartForConditionalGeneration, Qwen2ForCausalLM

    if name == "qwen2":
        return Qwen2ForCausalLM(causal_config("tiny", tokens))
    config = BartConfig(
        vocab_size=512, d_model=64, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4,
        decoder_attention_heads=4, encoder_ffn_dim=128, decoder_ffn_dim=128, max_position_embeddings=1026, dropout=0.0,
        pad_token_id=tokens.pad_token_id, bos_token_id=tokens.bos_token_id, eos_token_id=tokens.eos_token_id,
        decoder_start_token_id=tokens.eos_token_id, forced_eos_token_id=None,
    )  # fmt: skip
    return BartForConditionalGeneration(config)


def _pair(name: str, tokens: Any) -> tuple[Any, Any]:
    """Return one model on the CPU and an equal one on the device."""
    torch.manual_seed(0)
    here = _small(name, tokens)
    there = _small(name, tokens)
    there.load_state_dict(here.state_dict())
    return here, there.to(device())


def _gap(wanted: torch.Tensor, found: torch.Tensor) -> float:
    """Return the relative distance of two tensors on any device."""
    wanted, found = wanted.detach().double().cpu(), found.detach().double().cpu()
    return float((wanted - found).norm() / wanted.norm())


def _gradient(model: Any) -> torch.Tensor:
    return torch.cat([p.grad.flatten().cpu() for p in model.parameters() if p.grad is not None])


def _gradients(pair: tuple[Any, Any], examples: Any, tokens: Any) -> dict[str, Any]:
    collate = collate_seq2seq if pair[0].config.is_encoder_decoder else collate_causal
    batch = collate(examples, tokens.pad_token_id)
    losses = []
    for model in pair:
        loss = cross_entropy(model, {name: value.to(model.device) for name, value in batch.items()}, 0.1)
        loss.backward()
        losses.append(loss)
    loss_gap, gradient_gap = _gap(*losses), _gap(*map(_gradient, pair))
    return {"loss_gap": loss_gap, "gradient_gap": gradient_gap,
            "same": loss_gap < LOSS_GAP and gradient_gap < GRADIENT_GAP}  # fmt: skip


def _own_scores(pair: tuple[Any, Any], examples: Any, tokens: Any) -> dict[str, Any]:
    scored = [
        {"source": e["source"], "target": [*e["target"], *e["target"][:5]], "lengths": [len(e["target"]), 5],
         "weights": [1.0, -0.3], "logprobs": [float("nan")] * 2}
        for e in examples
    ]  # fmt: skip
    batch = policy_gradient.collate(scored, tokens.pad_token_id)
    here, there = (
        policy_gradient.policy_gradient(m, {name: v.to(m.device) for name, v in batch.items()}, 0.0)
        for m in pair
    )
    moved = {name: value.to(device()) for name, value in batch.items()}
    with torch.autocast(device().type, torch.bfloat16):
        rough = policy_gradient.policy_gradient(pair[1], moved, 0.0)
    gap = _gap(here, there)
    return {"loss_gap": gap, "loss_gap_in_bf16": _gap(here, rough), "same": gap < LOSS_GAP}


def _greedy(pair: tuple[Any, Any], examples: Any, tokens: Any) -> dict[str, Any]:
    config = DecodingConfig(candidates=1, beams=1, max_new_tokens=20)
    sources = [example["source"] for example in examples]
    here, there = (hf_decoder(model.eval(), tokens)(sources, config, 0) for model in pair)
    equal = [a[0].text == b[0].text for a, b in zip(here, there, strict=True)]
    share = sum(equal) / len(equal)
    return {"equal_texts": share, "same": share >= SAME_TOKENS}


class _StoppedError(Exception):
    """Stands for whatever ends a training early."""


def _resume(examples: Any, tokens: Any) -> dict[str, Any]:
    """Train in one go twice, and once with an end after the second epoch and a resume; compare the weights.

    Two trainings on a GPU differ where sums have no fixed order; a resume may differ by as much, whose size is chance.
    """
    whole, again = (_weights(examples, tokens, stops=False) for _ in range(2))
    resumed = _weights(examples, tokens, stops=True)
    repeat_gap, resume_gap = _gap(whole, again), _gap(whole, resumed)
    return {"repeat_gap": repeat_gap, "resume_gap": resume_gap, "bit_equal": bool(torch.equal(whole, resumed)),
            "same": resume_gap <= max(3 * repeat_gap, 1e-6)}  # fmt: skip


def _weights(examples: Any, tokens: Any, *, stops: bool) -> torch.Tensor:
    config = TrainingConfig(epochs=4, tokens_per_batch=256, learning_rate=1e-3, patience=99)
    with tempfile.TemporaryDirectory() as folder:
        for part in ("first", "second") if stops else ("second",):
            fresh_precision()
            torch.manual_seed(1)
            model = _small("qwen2", tokens).to(device())
            done = [0]

            def evaluate(_: Any, done: list[int] = done, part: str = part) -> dict[str, float]:
                done[0] += 1
                if part == "first" and done[0] == 3:
                    raise _StoppedError
                return {"score": float(done[0])}

            with suppress(_StoppedError):
                fit(
                    model, Dataset.from_list(examples), partial(collate_causal, pad=tokens.pad_token_id), evaluate, config,
                    Path(folder), seed=1, fingerprint="x", save_best=lambda _model, best, *_: (best / "nothing").touch(),
                )  # fmt: skip
    return torch.cat([p.detach().flatten().float().cpu() for p in model.parameters()])
