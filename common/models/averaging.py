"""Several models that decode as one: at every step the mean of their log-probabilities.

The mean of log-probabilities is the geometric mean of the distributions, renormalised: a token needs every model's
consent, where the arithmetic mean would let one confident model decide.
"""

from collections.abc import Sequence
from typing import Any

import torch
from peft import PeftModel
from torch import nn
from transformers import (
    Cache,
    DynamicCache,
    EncoderDecoderCache,
    GenerationMixin,
    PreTrainedModel,
)
from transformers.modeling_outputs import BaseModelOutput, CausalLMOutputWithPast


def mean_log_probabilities(logits: Sequence[torch.Tensor]) -> torch.Tensor:
    """The models' logits (…, vocabulary) → log-probabilities of their geometric mean, which sum to 1 as probabilities.

    In float32 at least.
    """
    found = [one.to(torch.promote_types(one.dtype, torch.float32)).log_softmax(-1) for one in logits]
    return torch.stack(found).mean(0).log_softmax(-1)


def empty_cache(model: nn.Module) -> Any:
    """What `generate` remembers of the tokens read, still empty: of the one model, or of each of several."""
    if isinstance(model, Averaged):
        return Caches([empty_cache(one) for one in model.models])
    if not model.config.is_encoder_decoder:
        return DynamicCache(config=model.config)
    return EncoderDecoderCache(DynamicCache(config=model.config), DynamicCache(config=model.config))


class Caches:
    """The models' caches behind the few methods by which `generate` turns one over to other rows."""

    is_compileable = False  # neither is a DynamicCache to be compiled
    is_croppable = False

    def __init__(self, caches: Sequence[Cache]) -> None:
        self.each = list(caches)

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Tokens read so far: all models have read the same."""
        length: int = self.each[0].get_seq_length(layer_idx)
        return length

    def reorder_cache(self, beam_idx: torch.Tensor) -> None:
        """Let row i be what row `beam_idx[i]` was: beams that go on."""
        for cache in self.each:
            cache.reorder_cache(beam_idx)

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep these rows alone."""
        for cache in self.each:
            cache.batch_select_indices(indices)


class _Encoders(nn.Module):
    """The models' encoders as one, whose states are theirs side by side: `generate` repeats and hands on one tensor."""

    main_input_name = "input_ids"

    def __init__(self, models: Sequence[PreTrainedModel]) -> None:
        super().__init__()
        self.each = nn.ModuleList(model.get_encoder() for model in models)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **_: Any) -> BaseModelOutput:
        states = [
            one(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state for one in self.each
        ]
        return BaseModelOutput(last_hidden_state=torch.cat(states, -1))


class Averaged(nn.Module, GenerationMixin):
    """Models of one vocabulary and kind behind transformers' own `generate`, each with a cache of its own.

    What begins and ends a text is the first model's. `generate` wants `past_key_values=empty_cache(…)`.
    """

    main_input_name = "input_ids"
    base_model_prefix = ""
    _is_stateful = False
    input_modalities = ("text",)

    def __init__(self, models: Sequence[PreTrainedModel]) -> None:
        super().__init__()
        # LoRA's layers stand in the base itself.
        whole = [one.get_base_model() if isinstance(one, PeftModel) else one for one in models]
        self.models = nn.ModuleList(whole)
        self.config, self.generation_config = whole[0].config, whole[0].generation_config
        self.encoders = _Encoders(whole) if self.config.is_encoder_decoder else None

    @property
    def device(self) -> torch.device:
        """Where all the models are."""
        place: torch.device = self.models[0].device
        return place

    @property
    def dtype(self) -> torch.dtype:
        """Of the first model's weights."""
        kind: torch.dtype = self.models[0].dtype
        return kind

    @classmethod
    def can_generate(cls) -> bool:
        """Whether `generate` works; what PreTrainedModel says of itself."""
        return True

    @classmethod
    def is_remote_code(cls) -> bool:
        """Whether the class came from a hub."""
        return False

    def get_experts_implementation(self) -> dict[str, str]:
        """How mixtures of experts are computed; the models decide for themselves."""
        return {}

    def get_encoder(self) -> nn.Module | None:
        """The encoders as one; None of causal models."""
        return self.encoders

    def get_input_embeddings(self) -> nn.Module:
        """The first model's."""
        return self.models[0].get_input_embeddings()

    def get_output_embeddings(self) -> nn.Module:
        """The first model's: its number of rows is that of all."""
        return self.models[0].get_output_embeddings()

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        decoder_input_ids: torch.Tensor | None = None,
        encoder_outputs: BaseModelOutput | None = None,
        past_key_values: Caches | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int = 0,
        **_: Any,
    ) -> CausalLMOutputWithPast:
        """Logits that are the mean's log-probabilities, as a model of this kind returns them."""
        inputs: dict[str, Any] = {"attention_mask": attention_mask, "use_cache": use_cache}
        if self.encoders is None:
            inputs |= {"input_ids": input_ids, "position_ids": position_ids, "logits_to_keep": logits_to_keep}
        else:
            inputs |= {"decoder_input_ids": decoder_input_ids}
        states = self._states(encoder_outputs)
        found = []
        for number, model in enumerate(self.models):
            own = dict(inputs)
            if states:
                own["encoder_outputs"] = BaseModelOutput(last_hidden_state=states[number].to(model.dtype))
            elif input_ids is not None:
                own["input_ids"] = input_ids
            if past_key_values is not None:
                own["past_key_values"] = past_key_values.each[number]
            found.append(model(**own, return_dict=True).logits)
        return CausalLMOutputWithPast(logits=mean_log_probabilities(found), past_key_values=past_key_values)

    def _states(self, encoder_outputs: BaseModelOutput | None) -> Sequence[torch.Tensor]:
        """Each model's share of the encoders' states."""
        if encoder_outputs is None:
            return ()
        widths = [model.config.hidden_size for model in self.models]
        shares: Sequence[torch.Tensor] = encoder_outputs.last_hidden_state.split(widths, -1)
        return shares
