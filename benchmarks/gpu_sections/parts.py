"""Parts that several sections use: the device, time and memory, random models and rows, and cases that report errors."""

import gc
import random
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, PreTrainedModel

from common.models.adapters import add_lora
from common.models.config import LoRAConfig
from common.models.pretrained import drop_decoding_defaults, keep_gradients_on_cpu
from common.tokenization.tokenizer import train_bpe

GIB = 2**30
_TEXTS = ("#Person1#: 내일 몇 시에 만날까요?\n#Person2#: 오후 세 시에 도서관 앞에서 만나요.",)


@dataclass(frozen=True)
class Bench:
    """What a section needs to know, and where it reports."""

    tiny: bool
    """Whether models and rows are tiny, to try the script itself on a CPU."""
    folder: Path
    """Folder for temporary files."""
    report: Callable[[str, dict[str, Any]], None]
    """(name of a case, what was measured) → nothing; writes it down at once."""

    @contextmanager
    def case(self, name: str) -> Iterator[dict[str, Any]]:
        """Yield a dictionary for what is measured; report it with peak memory, or with the exception that ended the case.

        An exception does not leave this context, except one after which the GPU can no longer be used.
        """
        free_memory()
        found: dict[str, Any] = {}
        try:
            yield found
        except Exception as error:
            found |= failure(error)
            if "CUDA error" in str(error):
                self.report(name, found | peak_memory())
                raise
        self.report(name, found | peak_memory())


def failure(error: BaseException) -> dict[str, Any]:
    """Return an exception as fields of a line: its type and text, and the last frames; `out_of_memory` alone for that."""
    traceback.print_exception(error, file=sys.stderr)
    if isinstance(error, torch.OutOfMemoryError) or "out of memory" in str(error):
        return {"out_of_memory": str(error)[:300]}
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    return {
        "failed": f"{type(error).__name__}: {str(error)[:300]}",
        "at": [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames],
    }


def device() -> torch.device:
    """Return the first GPU, or the CPU without GPUs."""
    return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")


def finish() -> None:
    """Wait until the GPU has done all its work."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def free_memory() -> None:
    """Return unused memory to the GPU, and start to measure the peak from here."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def peak_memory() -> dict[str, float | None]:
    """Return the GPU memory that was in use at most, in GiB: by tensors, and with what the allocator keeps. None on a CPU."""
    if not torch.cuda.is_available():
        return {"peak_gib": None, "reserved_gib": None}
    return {
        "peak_gib": round(torch.cuda.max_memory_allocated() / GIB, 2),
        "reserved_gib": round(torch.cuda.max_memory_reserved() / GIB, 2),
    }


def seconds(work: Callable[[], Any]) -> float:
    """Return how long one call takes, with all work of the GPU that it starts."""
    finish()
    began = time.perf_counter()
    work()
    finish()
    return time.perf_counter() - began


def bandwidth(tiny: bool) -> float:
    """Return the memory bandwidth of the device in bytes per second: a copy reads and writes every byte."""
    size = 2**22 if tiny else 2**30
    source = torch.empty(size, dtype=torch.uint8, device=device())
    target = torch.empty_like(source)
    target.copy_(source)
    return 2 * size * 10 / seconds(lambda: [target.copy_(source) for _ in range(10)])


def tokenizer() -> Any:
    """Return a small tokenizer; the models' vocabularies are larger, as those of real checkpoints are."""
    return train_bpe(_TEXTS, 400, [])


def rows(count: int, source: int, target: int, vocabulary: int, seed: int = 0) -> list[dict[str, list[int]]]:
    """Return random token ids, `source` and `target`, with log-normal lengths of these means, like those of the competition."""
    chosen = random.Random(seed)

    def ids(mean: int, deviation: float) -> list[int]:
        drawn = chosen.lognormvariate(-(deviation**2) / 2, deviation) * mean
        return [chosen.randrange(10, vocabulary) for _ in range(min(max(6, round(drawn)), 4 * mean))]

    return [{"source": ids(source, 0.5), "target": ids(target, 0.4)} for _ in range(count)]


def causal_config(shape: str, tokens: Any, layers: int = 0) -> Any:
    """Return the config of a causal model: tiny, or the shape of qwen2.5-7b, qwen2.5-14b or qwen3-14b.

    `layers`: another number of layers than that of the shape; 0: none.
    """
    from transformers import Qwen2Config, Qwen3Config

    hidden, inner, every, heads, kv_heads, vocabulary = {
        "tiny": (64, 128, 2, 4, 2, 512),
        "qwen2.5-7b": (3584, 18944, 28, 28, 4, 152064),
        "qwen2.5-14b": (5120, 13824, 48, 40, 8, 152064),
        "qwen3-14b": (5120, 17408, 40, 40, 8, 151936),
    }[shape]
    kind = Qwen3Config if shape.startswith("qwen3") else Qwen2Config
    return kind(
        hidden_size=hidden, intermediate_size=inner, num_hidden_layers=layers or every, num_attention_heads=heads,
        num_key_value_heads=kv_heads, head_dim=hidden // heads, vocab_size=vocabulary, max_position_embeddings=32768,
        tie_word_embeddings=False, bos_token_id=tokens.bos_token_id, eos_token_id=tokens.eos_token_id,
        pad_token_id=tokens.pad_token_id,
    )  # fmt: skip


def random_model(config: Any) -> PreTrainedModel:
    """Return a causal model with random bfloat16 weights, made on the device."""
    with device():
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    drop_decoding_defaults(model)
    return model.eval()


def quantized_model(config: Any) -> PreTrainedModel:
    """Return a causal model with random 4-bit weights (nf4), as `load_pretrained` loads them, without a file.

    Layers of one shape get the same weights before they are quantized, so that a 14B needs no 28 GB for that.
    """
    with torch.device("meta"):
        empty = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    made: dict[Any, torch.Tensor] = {}
    weights = {}
    for name, parameter in empty.named_parameters():
        same = (name.rsplit(".", 2)[-2:], parameter.shape) if ".layers." in name else name
        key = str(same)
        if key not in made:
            made[key] = torch.empty(parameter.shape, dtype=torch.bfloat16, device=device())
            made[key].normal_(0.0, 0.02) if parameter.ndim > 1 else made[key].fill_(
                name.endswith("norm.weight")
            )
        weights[name] = made[key]
    quantization = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=torch.bfloat16
    )  # fmt: skip
    model = type(empty).from_pretrained(
        None, config=config, state_dict=weights, dtype=torch.bfloat16, device_map={"": device()},
        quantization_config=quantization, attn_implementation="sdpa",
    )  # fmt: skip
    keep_gradients_on_cpu(model)
    drop_decoding_defaults(model)
    return model


def qlora(config: Any, tokens: Any, *, checkpointing: bool) -> Any:
    """Return a 4-bit model with new adapters of rank 32 on every linear layer, without dropout; rank 4 for a tiny model."""
    model = quantized_model(config)
    if checkpointing:
        # The new name where transformers has it, which warns of the old one.
        enable = getattr(model, "activation_checkpointing_enable", model.gradient_checkpointing_enable)
        enable({"use_reentrant": False})
    rank = 4 if config.hidden_size < 100 else 32
    return add_lora(model, tokens, LoRAConfig(rank=rank, alpha=2 * rank, dropout=0.0, targets=("all",)))
