"""Add adapters to the weights of their base one tensor at a time, so that memory never holds the model.

PEFT does the arithmetic, so every kind of adapter that it can merge is merged as `merge_and_unload` does. The base is
built without memory (on the meta device); a weight is read from its file, merged in its layer, and written.
"""

from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from peft import PeftConfig, PeftModel
from peft.tuners.lora.layer import LoraLayer, ParamWrapper
from peft.utils.other import ModulesToSaveWrapper, TrainableTokensWrapper
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, PreTrainedModel
from transformers.conversion_mapping import get_model_conversion_mapping
from transformers.core_model_loading import (
    WeightConverter,
    WeightRenaming,
    dot_natural_key,
    rename_source_key,
    revert_weight_conversion,
)

from common.core.errors import UserError
from common.core.files import shown
from common.models.architecture import architecture
from common.models.tensor_files import (
    DTYPES,
    StoredTensor,
    TensorInfo,
    bytes_of,
    chunks_of,
    info_of,
    read_tensor,
    stored_tensors,
)

Change = Callable[[torch.Tensor], torch.Tensor]
"""Function from a weight of the base, in float32, to the merged weight."""


class MergedWeights:
    """The tensors of a merged model, by the names in the files of its base; a tensor is computed when it is read."""

    def __init__(self, base: Path, adapter: Path, vocabulary: int) -> None:
        """Build the model without its weights.

        `base`: the folder of the weights; `adapter`: that of the adapters; `vocabulary`: number of tokens of the
        adapters' tokenizer, to which the embeddings grow when tokens were added for training.
        Raises UserError when the base's weights are quantized, or an adapter has no weight in the base.
        """
        lora = PeftConfig.from_pretrained(adapter)
        if not getattr(lora, "trainable_token_indices", None):
            vocabulary = 0  # some tokenizers have tokens that the model never had embeddings for
        self._model = _without_weights(base, vocabulary)
        self.config = self._model.config
        self.config.dtype = AutoConfig.from_pretrained(base, trust_remote_code=False).dtype
        self.config.architectures = [type(self._model).__name__]
        self._shapes = {name: tuple(tensor.shape) for name, tensor in self._model.state_dict().items()}
        changes = _changes(_adapted(_without_weights(base, vocabulary), lora, adapter))
        tied: dict[str, str] = getattr(self._model, "all_tied_weights_keys", None) or {}
        self._changes = {tied.get(name, name): change for name, change in changes.items()}
        self._tied = tied
        self._content: dict[str, Callable[[], Iterator[bytes | memoryview]]] = {}
        self.tensors: list[TensorInfo] = []
        self._plan(base)
        missing = set(self._changes) - self._changed
        if missing:
            raise UserError(
                f"{shown(adapter)} adapts {min(missing)}, which {shown(base)} does not have; restore the base that the "
                "run was trained on, or train again with restart=1."
            )

    def content(self, tensor: TensorInfo) -> Iterator[bytes | memoryview]:
        """Yield the bytes of one of `tensors`; adapters are added in float32 and the sum is rounded once."""
        yield from self._content[tensor.name]()

    def _plan(self, base: Path) -> None:
        self._changed: set[str] = set()
        for group in _groups(self._model, stored_tensors(base), self._shapes):
            for name in group.parameters:
                if self._change(name):
                    self._changed.add(self._tied.get(name, name))
            grown = any(tuple(t.shape) != self._shapes[name] for name, t in group.parameters.items())
            if not grown and not any(self._change(name) for name in group.parameters):
                for tensor in group.stored:
                    self._add(tensor, partial(chunks_of, tensor))
                continue
            _require_known_types(group.stored)
            if group.converter is None:
                (tensor,) = group.stored
                (name,) = group.parameters
                meta = torch.empty(self._shapes[name], device="meta")
                self._add(info_of(tensor.name, meta, tensor.dtype), partial(self._simple, tensor, name))
            else:
                self._add_converted(group)

    def _add(self, info: TensorInfo, content: Callable[[], Iterator[bytes | memoryview]]) -> None:
        self.tensors.append(info)
        self._content[info.name] = content

    def _change(self, name: str) -> Change | None:
        return self._changes.get(self._tied.get(name, name))

    def _merged(self, name: str, tensor: torch.Tensor) -> torch.Tensor:
        tensor = _grown(tensor.float(), self._shapes[name])
        change = self._change(name)
        return change(tensor) if change else tensor

    def _simple(self, tensor: StoredTensor, name: str) -> Iterator[memoryview]:
        yield bytes_of(self._merged(name, read_tensor(tensor)), tensor.dtype)

    def _add_converted(self, group: "_Group") -> None:
        """Plan tensors that transformers joins or splits when it loads them, such as the experts of a layer.

        They are merged as they are in the model, and converted back into the base's format.
        """
        dtype = group.stored[0].dtype
        written: dict[str, torch.Tensor] = {}
        meta = {name: torch.empty(self._shapes[name], device="meta") for name in group.parameters}

        def content(name: str) -> Iterator[memoryview]:
            if name not in written:
                values = group.convert(self._model, {one.name: read_tensor(one) for one in group.stored})
                merged = {key: self._merged(key, value) for key, value in values.items()}
                written.update(revert_weight_conversion(self._model, merged))
            yield bytes_of(written.pop(name), dtype)

        for name, tensor in revert_weight_conversion(self._model, meta).items():
            self._add(info_of(name, tensor, dtype), partial(content, name))


@dataclass
class _Group:
    """Tensors of the base's files that become one or several parameters of the model together."""

    first: str
    """Name of the parameter, or the first of them."""
    stored: list[StoredTensor]
    patterns: list[str]
    converter: WeightConverter | None
    parameters: dict[str, torch.Tensor]
    """The parameters by name, with the shapes of the files; on the meta device."""

    def convert(self, model: PreTrainedModel, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return the parameters made of tensors of the files, which are given by their names there."""
        if self.converter is None:
            return {self.first: tensors[self.stored[0].name]}
        converter = deepcopy(self.converter)
        for one, pattern in zip(self.stored, self.patterns, strict=True):
            converter.add_tensor(self.first, one.name, pattern, tensors[one.name])
        found = converter.convert(self.first, model=model, config=model.config)
        return {name: value[0] if isinstance(value, list) else value for name, value in found.items()}


def _groups(
    model: PreTrainedModel, stored: Iterable[StoredTensor], shapes: dict[str, tuple[int, ...]]
) -> list[_Group]:
    """Return the tensors of the base's files by the parameters that they become, as from_pretrained assigns them.

    Tensors that the model does not use, such as another task's head, are left out. Sets the model's conversions, which
    `revert_weight_conversion` needs.
    """
    transforms = get_model_conversion_mapping(model)
    renamings = [one for one in transforms if isinstance(one, WeightRenaming)]
    converters = [one for one in transforms if isinstance(one, WeightConverter)]
    by_pattern = {pattern: one for one in converters for pattern in one.source_patterns}
    prefix = model.base_model_prefix
    found: dict[str, _Group] = {}
    for tensor in sorted(stored, key=lambda one: dot_natural_key(one.name)):
        name, pattern = rename_source_key(tensor.name, renamings, converters, prefix, shapes)
        if name not in shapes and tensor.name in shapes:  # it has the model's own name already
            name, pattern = rename_source_key(tensor.name, [], [], prefix, shapes)
        if name not in shapes:
            continue
        converter = by_pattern[pattern] if pattern else None
        group = found.setdefault(name, _Group(name, [], [], converter, {}))
        group.stored.append(tensor)
        group.patterns.append(pattern or tensor.name)
    model._weight_conversions = [one for one in transforms if one.was_used()] or None
    for group in found.values():
        metas = {one.name: torch.empty(one.shape, device="meta") for one in group.stored}
        group.parameters = group.convert(model, metas)
    return list(found.values())


def _require_known_types(tensors: Iterable[StoredTensor]) -> None:
    for tensor in tensors:
        if tensor.dtype not in DTYPES:
            raise UserError(
                f"{shown(tensor.path)}: {tensor.name} has the type {tensor.dtype}; adapters can only be merged into "
                f"{', '.join(DTYPES)}. Train on weights of 16 or 32 bits."
            )


def _without_weights(base: Path, vocabulary: int) -> PreTrainedModel:
    """Return the base's model on the meta device, with embeddings for at least `vocabulary` tokens."""
    config = AutoConfig.from_pretrained(base, trust_remote_code=False)
    if getattr(config, "quantization_config", None) is not None:
        raise UserError(
            f"{shown(base)}: its weights are quantized, and adapters can only be merged into weights of 16 or 32 bits. "
            "Train on the unquantized model (--quantization nf4 quantizes it while it is loaded)."
        )
    loader: Any = AutoModelForSeq2SeqLM if architecture(base) == "seq2seq" else AutoModelForCausalLM
    with torch.device("meta"):
        model: PreTrainedModel = loader.from_config(config, dtype=torch.float32, trust_remote_code=False)
        if vocabulary > model.get_input_embeddings().weight.shape[0]:
            model.resize_token_embeddings(vocabulary, mean_resizing=False)
    return model


def _adapted(model: PreTrainedModel, config: PeftConfig, adapter: Path) -> PeftModel:
    """Return a model on the meta device with its adapters, which are in memory."""
    if config.bias != "none" or getattr(config, "lora_bias", False):
        raise UserError(
            f"{shown(adapter)}: adapters that train biases cannot be merged tensor by tensor; train without."
        )
    # PEFT moves adapters to the device of their layer: a single zero, repeated without memory, stands for each weight.
    seen: dict[torch.nn.Parameter, torch.nn.Parameter] = {}  # tied weights stay tied
    for module in model.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            zeros = torch.zeros((), dtype=parameter.dtype).expand(parameter.shape)
            module.register_parameter(
                name, seen.setdefault(parameter, torch.nn.Parameter(zeros, requires_grad=False))
            )
    return PeftModel.from_pretrained(model, adapter, is_trainable=False, low_cpu_mem_usage=True).eval()


def _changes(model: PeftModel) -> dict[str, Change]:
    """Return what the adapters do to each weight, by the name that it has without adapters."""
    changes: dict[str, Change] = {}
    for path, module in model.named_modules():
        parts = path.removeprefix("base_model.model.").split(".")
        name = ".".join(part for part in parts if part != "base_layer")
        if isinstance(module, ParamWrapper):
            changes[f"{name}.{module.parameter_name}"] = partial(
                _in_layer, module, module.get_base_layer(), module.parameter_name
            )
        elif isinstance(module, LoraLayer):
            changes[f"{name}.weight"] = partial(_in_layer, module, module.get_base_layer(), "weight")
        elif isinstance(module, TrainableTokensWrapper) and not module.token_adapter.tied_adapter:
            layer = module.token_adapter
            changes[f"{name}.weight"] = partial(_in_layer, layer, layer.get_base_layer(), "weight")
        elif isinstance(module, ModulesToSaveWrapper):
            for key, parameter in module.modules_to_save["default"].named_parameters():
                changes[f"{name}.{key}"] = partial(_replaced, parameter)
    return changes


def _replaced(parameter: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    return parameter.detach()


@torch.no_grad()
def _in_layer(adapter: Any, base_layer: torch.nn.Module, key: str, tensor: torch.Tensor) -> torch.Tensor:
    """Return the weight merged by PEFT's own layer, which holds it only meanwhile."""
    before = getattr(base_layer, key)
    setattr(base_layer, key, torch.nn.Parameter(tensor, requires_grad=False))
    try:
        adapter.merge()
        return getattr(base_layer, key).detach()
    finally:
        adapter.merged_adapters.clear()
        setattr(base_layer, key, before)


def _grown(tensor: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """Return the tensor enlarged to a shape: embeddings by their mean row, others by zeros."""
    if tuple(tensor.shape) == shape:
        return tensor
    larger = torch.zeros(shape, dtype=tensor.dtype)
    if tensor.ndim == 2 and tensor.shape[1] == shape[1]:
        larger += tensor.mean(0)
    larger[tuple(slice(size) for size in tensor.shape)] = tensor
    return larger
