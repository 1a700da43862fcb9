"""Define the settings of training and of rewards. Never imports torch."""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Len, Lt, MultipleOf

from common.core.ranges import Share, Temperature


@dataclass(frozen=True)
class TrainingConfig:
    """Optimisation of one model."""

    epochs: Annotated[float, Gt(0), Le(1000)] = 10
    """Passes over the training examples, unless early stopping ends sooner; 0.5 is half a pass."""
    tokens_per_batch: Annotated[int, Ge(1), Le(2**24)] = 4096
    """Most tokens in one forward pass on one device: rows times the longest row, source and target together."""
    accumulation: Annotated[int, Ge(1), Le(4096)] = 1
    """Batches per process and optimizer step; the loss is normalised over all target tokens of the step."""
    learning_rate: Annotated[float, Gt(0), Le(1)] = 1e-3
    """Peak learning rate of AdamW."""
    schedule: Literal["linear", "cosine", "constant_with_warmup"] = "cosine"
    """Learning rate after warm-up; linear and cosine reach zero at the last step."""
    warmup: Share = 0.05
    """Share of all steps over which the learning rate rises from zero."""
    weight_decay: Share = 0.01
    """AdamW's decoupled weight decay of matrices; biases and norms have none."""
    betas: Annotated[tuple[Annotated[float, Ge(0), Lt(1)], ...], Len(2, 2)] = (0.9, 0.98)
    """AdamW's moment decay rates."""
    max_gradient_norm: Annotated[float, Gt(0), Le(1e9)] = 1.0
    """Largest gradient norm; larger gradients are scaled down to it."""
    label_smoothing: Share = 0.1
    """Probability mass spread over the whole vocabulary, 0 to 1."""
    precision: Literal["auto", "no", "bf16", "fp16"] = "auto"
    """Mixed precision; auto: bf16 on a GPU that supports it, else fp16; on a CPU bf16 only for bf16 weights."""
    kernels: Literal["torch", "liger", "onednn"] = "torch"
    """What computes parts of the training step; liger: norms, feed-forward blocks and the loss of a causal model by Liger's
    kernels, which need less memory and an NVIDIA GPU (pip extra liger); onednn: the float32 matrix products of linear layers by
    oneDNN, on a CPU with AVX-512, where AMD's get twice as fast; with AMX it multiplies in bf16."""
    ema: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Decay of an exponential moving average of the weights, which is evaluated and saved in their place; 0: off."""
    sharding: Literal["none", "fsdp"] = "none"
    """fsdp: shard weights, gradients and optimizer state over the processes, for models too large for one GPU."""
    evaluate_every: Annotated[float, Gt(0), Le(1000)] = 1.0
    """Epochs between two evaluations, which generate summaries."""
    patience: Annotated[int, Ge(1), Le(10_000)] = 5
    """Evaluations in a row without a better score before training stops."""
    checkpoint_minutes: Annotated[float, Ge(0), Le(100_000)] = 5.0
    """Minutes between two checkpoints, more when saving would take over 5 % of the time; 0: one after each step. Every
    evaluation also writes one."""
    keep_checkpoints: Annotated[int, Ge(1), Le(1000)] = 2
    """Number of checkpoints kept on disk for resuming."""


@dataclass(frozen=True)
class RewardConfig:
    """Learning from the scores of the model's own summaries of training dialogues."""

    dialogues: Annotated[int, Ge(0), Le(10_000_000)] = 1000
    """Number of training dialogues, chosen by the seed, to sample summaries for; 0: all. With too many, the policy drifts
    away from the one that sampled them; instead, merge the adapters and start another round with other dialogues."""
    sampled: Annotated[int, Ge(1), Le(256)] = 7
    """Number of summaries sampled for each training dialogue, in addition to the greedy one."""
    sampled_temperature: Temperature = 0.8
    """Temperature of these samples."""
    agreement: Share = 0.5
    """Share of the reward that is a summary's mean score against the dialogue's other summaries, 0 to 1; the rest is its
    score against the reference, which is one of many possible texts and therefore a noisy target."""
    kept: Annotated[int, Ge(2), Le(256), MultipleOf(2)] = 4
    """Number of summaries per dialogue that the model learns from: half of them the best, half the worst."""
    worse_weight: Annotated[float, Ge(0), Le(100)] = 0.3
    """Weight of summaries below their dialogue's mean, which become less likely; those above it have weight 1."""
    reference_weight: Annotated[float, Gt(0), Le(100)] = 0.3
    """Weight of the reference's log-likelihood, which is added to the loss."""
    clip: Annotated[float, Gt(0), Le(10)] = 0.5
    """Largest relative change of a summary's mean token probability since sampling; beyond it the summary is ignored."""
