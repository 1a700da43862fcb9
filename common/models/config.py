"""Define the settings of models: pretrained weights, adapters, and small models with random weights. Never imports torch."""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Le, Len, MultipleOf

from common.core.errors import UserError
from common.core.messages import brief
from common.core.ranges import Dropout, Text
from common.models.merged_models import merged_run, require_whole_path


@dataclass(frozen=True)
class PretrainedConfig:
    """The pretrained weights to start from, and how to load them."""

    model: str = ""
    """Hub id, local folder, offline:gemma-3-270m, or a tiny random model for smoke runs, such as tiny:qwen2."""
    revision: Text | None = None
    """Commit on the hub. Default: the one in hub.PINNED, or the newest for a model not listed there; the run records it."""
    quantization: Literal["none", "nf4", "int8"] = "none"
    """nf4: 4 bits with double quantization, computed in bf16 (QLoRA, Dettmers et al. 2023). For a model that make merge
    made, the default is none."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Type of the weights; auto: float32 when they are trained, else bfloat16 if the hardware computes in it."""
    attention: Literal["auto", "sdpa", "flash_attention_2", "eager"] = "auto"
    """Attention implementation; auto: flash_attention_2 for 16-bit weights on a GPU if it is installed, else sdpa, or eager
    for a model without sdpa."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass: a third slower, but with a fraction of the memory."""
    gpu_memory: Annotated[float, Ge(0), Le(10_000)] = 0.0
    """Minimum memory of the GPU in gigabytes, checked before any work; 0: no check, a CPU is enough."""

    def implied(self) -> dict[str, tuple[str, str]]:
        """Return `quantization` "none" and the message that says why, for a model that `make merge` made; else {}."""
        if not merged_run(self.model):
            return {}
        return {
            "quantization": (
                "none",
                f"{self.model} is a merged model: it is loaded in 16 bits (--quantization none), because 4 or 8 bits "
                "round away a part of what its adapters learned. If the memory is too small, use --quantization nf4.",
            )
        }

    def require_consistent(self) -> None:
        """Raise UserError for a tiny model that does not exist, and for the end of a merged model's path."""
        if self.model.startswith(PREFIX):
            require_kind(self.model)
        require_whole_path(self.model)


@dataclass(frozen=True)
class LoRAConfig:
    """Low-rank adapters (Hu et al. 2021)."""

    rank: Annotated[int, Ge(1), Le(4096)] = 16
    """Rank of the adapters."""
    alpha: Annotated[int, Ge(1), Le(65_536)] = 32
    """Numerator of the adapters' scale, alpha / rank."""
    dropout: Dropout = 0.05
    """Share of an adapter's inputs dropped in training, from 0 to below 1."""
    targets: Annotated[tuple[Text, ...], Len(1, 100)] = ("attention",)
    """Layers to adapt. attention: all projections of attention; all: every linear layer except the output layer, and the
    experts of a mixture of experts (with dropout 0 only); or layer names."""
    added_tags: bool = False
    """Whether every speaker tag becomes one token with its own trained embedding row."""


Vocabulary = Annotated[int, Ge(300), Le(100_000)]
"""Size of a vocabulary of our own: at least the 256 bytes, the special tokens and the speaker tags."""
MOST_WEIGHTS = 10**9
"""Largest small model; training it takes about 16 GB."""


@dataclass(frozen=True)
class SmallModelConfig:
    """Size of a transformer that is trained from scratch."""

    width: Annotated[int, Ge(64), Le(2048), MultipleOf(64)] = 128
    """Hidden size; a multiple of 64, the size of an attention head."""
    layers: Annotated[int, Ge(1), Le(48)] = 2
    """Number of layers; an encoder-decoder has this many in the encoder and in the decoder."""
    feed_forward: Annotated[int, Ge(1), Le(8192)] = 512
    """Inner size of the feed-forward blocks."""
    dropout: Dropout = 0.1
    """Share of activations dropped in training, from 0 to below 1."""
    positions: Annotated[int, Ge(16), Le(131_072)] = 1024
    """Longest sequence that the model can read, in tokens."""

    @property
    def weights(self) -> int:
        """Number of weights of an encoder-decoder without its embeddings; a causal model has half as many."""
        # An encoder's and a decoder's layer: three attentions of four matrices, two feed-forward blocks of two.
        return self.layers * (12 * self.width**2 + 4 * self.width * self.feed_forward)

    def require_consistent(self) -> None:
        """Raise UserError for more than MOST_WEIGHTS weights."""
        weights = self.weights
        if weights > MOST_WEIGHTS:
            raise UserError(
                f"--width {self.width}, --layers {self.layers} and --feed-forward {self.feed_forward} make a model of "
                f"about {weights / 1e9:.1f} billion weights; wanted at most {MOST_WEIGHTS / 1e9:.0f} billion. Lower one "
                "of them."
            )

    def require_room(self, source: int, summary: int, *, together: bool) -> None:
        """Raise UserError when the longest source and summary (`together`: their sum) have more tokens than positions."""
        if (source + summary if together else max(source, summary)) > self.positions:
            raise UserError(
                f"--positions {self.positions}: too few for --max-source-tokens {source} {'and' if together else 'or'} "
                f"--max-new-tokens {summary}; raise the former, or lower one of the others."
            )


PREFIX = "tiny:"
"""Beginning of the name of a tiny random model."""
TINY = ("bart", "mbart", "m2m100", "nllb", "qwen2", "qwen3", "gemma3")
"""Kinds of tiny models that `common.models.tiny` creates."""


def require_kind(name: str) -> None:
    """Raise UserError when there is no tiny model of that name."""
    if name.removeprefix(PREFIX) not in TINY:
        kinds = ", ".join(PREFIX + known for known in TINY)
        raise UserError(f"model {brief(name)}: there is no tiny model of that kind; wanted one of {kinds}.")
