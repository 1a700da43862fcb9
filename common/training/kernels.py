"""Let other kernels than torch's compute parts of the training step: Liger's on a GPU, oneDNN's on a CPU."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from transformers import PreTrainedModel

from common.core.errors import UserError
from common.models.logits import TargetStates, has_body

_SCALES = ("logits_scaling", "logit_scale", "lm_head_multiplier")
"""Settings of architectures that scale their logits, which Liger's loss does not do."""


def use_liger(model: PreTrainedModel) -> None:
    """Replace the model's norms and feed-forward blocks by Liger's, and mark it for `liger_losses`.

    Source: Hsu et al. 2024, "Liger Kernel: Efficient Triton Kernels for LLM Training".
    Raises UserError without an NVIDIA GPU or the package, and for a model that Liger does not know.
    """
    if not torch.cuda.is_available():
        raise UserError(
            "--kernels liger needs an NVIDIA GPU, and this machine has none; leave --kernels at torch."
        )
    try:
        from liger_kernel.transformers import monkey_patch
    except ImportError as error:
        raise UserError(
            f"--kernels liger: the package liger_kernel cannot be imported ({error}); run: "
            ".venv/bin/pip install -c constraints.txt -e '.[liger]' (or leave --kernels at torch)."
        ) from error
    whole: Any = model.get_base_model() if hasattr(model, "get_base_model") else model
    kind = whole.config.model_type
    if whole.config.is_encoder_decoder or kind not in monkey_patch.MODEL_TYPE_TO_APPLY_LIGER_FN:
        raise UserError(
            f"--kernels liger: Liger has no kernels for {type(whole).__name__} ({kind}); leave --kernels at torch."
        )
    # Our own loss takes the logits of targets alone, so the model's forward pass stays as it is.
    monkey_patch._apply_liger_kernel_to_instance(whole, cross_entropy=False, fused_linear_cross_entropy=False)
    model.liger_loss = _knows_loss(model, whole)


def _knows_loss(model: PreTrainedModel, whole: Any) -> bool:
    """Return whether Liger's loss computes the logits as the model does."""
    settings = whole.config.get_text_config()
    scaled = any(getattr(settings, name, None) not in (None, 1, 1.0) for name in _SCALES)
    return type(model.get_output_embeddings()) is nn.Linear and has_body(model) and not scaled


def has_liger_loss(model: torch.nn.Module) -> bool:
    """Return whether the loss of the model's logits can be computed by `liger_losses`."""
    return bool(getattr(getattr(model, "module", model), "liger_loss", False))


def liger_losses(
    model: torch.nn.Module, found: TargetStates, smoothing: float, *, summed: bool
) -> torch.Tensor:
    """Return the label-smoothed cross-entropy of each target, (t,), or their sum, without ever holding all logits."""
    from liger_kernel.transformers.functional import liger_fused_linear_cross_entropy

    inner: Any = getattr(model, "module", model)
    head, settings = inner.get_output_embeddings(), inner.config.get_text_config()
    losses: torch.Tensor = liger_fused_linear_cross_entropy(
        found.states,
        head.weight,
        found.targets,
        bias=head.bias,
        label_smoothing=smoothing,
        reduction="sum" if summed else "none",
        softcap=getattr(settings, "final_logit_softcapping", None),
    )
    return losses


def use_onednn(model: PreTrainedModel) -> None:
    """Make the linear layers of the model multiply float32 matrices by oneDNN's kernels while it trains on a CPU.

    Without a gradient (evaluation, decoding) they compute what they did before. Attention keeps torch's products, because its
    many small ones take longer in oneDNN.
    Raises UserError where the model would train on a GPU.
    """
    if torch.cuda.is_available():
        raise UserError(
            "--kernels onednn is for training on a CPU, and this machine trains on its GPU; leave --kernels at torch."
        )
    for layer in model.modules():
        if type(layer) is nn.Linear:
            layer.forward = partial(_linear, layer)


def _linear(layer: nn.Linear, inputs: torch.Tensor) -> torch.Tensor:
    plain = inputs.dtype != torch.float32 or layer.weight.dtype != torch.float32
    if plain or not torch.is_grad_enabled() or torch.is_autocast_enabled("cpu"):
        return functional.linear(inputs, layer.weight, layer.bias)
    found: torch.Tensor = _Linear.apply(inputs, layer.weight, layer.bias)
    return found


class _Linear(torch.autograd.Function):
    """A linear layer whose three products are oneDNN's, forward and backward."""

    @staticmethod
    def forward(
        context: Any, inputs: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        context.save_for_backward(inputs, weight)
        with _onednn_products():
            return functional.linear(inputs, weight, bias)

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        inputs, weight = context.saved_tensors
        gradient = gradients[0].flatten(0, -2)
        wanted = context.needs_input_grad
        with _onednn_products():
            of_inputs = (gradient @ weight).view_as(inputs) if wanted[0] else None
            of_weight = gradient.t() @ inputs.flatten(0, -2) if wanted[1] else None
        return of_inputs, of_weight, gradient.sum(0) if wanted[2] else None


@contextmanager
def _onednn_products() -> Iterator[None]:
    """Let float32 matrix products on the CPU be oneDNN's inside this context.

    torch calls oneDNN when products may be computed in bf16. oneDNN does so where the processor has units for it (AMX);
    elsewhere it computes in float32.
    """
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
