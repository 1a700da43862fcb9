"""Find the parts of a model that text goes through: a multimodal checkpoint also has parts for images and sound."""

from collections.abc import Iterator

from torch import nn
from transformers import PreTrainedModel


def text_modules(model: PreTrainedModel) -> Iterator[tuple[str, nn.Module]]:
    """Yield names and modules of the encoder and decoder of text, without the output layer and parts for other inputs."""
    names = {module: name for name, module in model.named_modules()}
    stacks = [model.get_decoder()]
    if model.config.is_encoder_decoder:
        # The encoder of a multimodal encoder-decoder contains one for text.
        stacks.append(model.get_encoder().get_decoder())
    inside = [names.get(stack, "") for stack in stacks]
    outside = [names[module] for module in (*_other_inputs(model), model.get_output_embeddings())]
    for name, module in model.named_modules():
        if _within(name, inside) and not _within(name, outside):
            yield name, module


def freeze_other_parts(model: PreTrainedModel) -> None:
    """Exclude the parts of a multimodal model that text does not go through from training.

    They get no gradient, which training in several processes does not allow.
    """
    if not list(_other_inputs(model)):
        return
    used = [module for _, module in text_modules(model)]
    used += [model.get_input_embeddings(), model.get_output_embeddings()]
    kept = {id(parameter) for module in used for parameter in module.parameters()}
    for parameter in model.parameters():
        if id(parameter) not in kept:
            parameter.requires_grad_(False)


def expert_parameters(model: PreTrainedModel) -> list[str]:
    """Return the names of the weights of mixture-of-experts layers, in which one tensor holds all experts of a layer."""
    return [
        f"{name}.{own}"
        for name, module in text_modules(model)
        if "expert" in f"{name.rsplit('.', 1)[-1]} {type(module).__name__}".lower()
        for own, parameter in module.named_parameters(recurse=False)
        if parameter.ndim == 3
    ]


def _other_inputs(model: PreTrainedModel) -> Iterator[nn.Module]:
    """Yield the models inside this model that read images or sound and no text."""
    for module in model.modules():
        if isinstance(module, PreTrainedModel):
            inputs = module.input_modalities
            reads_text = "text" in ((inputs,) if isinstance(inputs, str) else inputs)
            # Gemma 4's vision tower inherits the inputs of the whole model.
            kind = module.config.model_type
            if not reads_text or "vision" in kind or "audio" in kind:
                yield module


def _within(name: str, parents: list[str]) -> bool:
    return any(not parent or name == parent or name.startswith(f"{parent}.") for parent in parents)
