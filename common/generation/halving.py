"""Continue with half as many dialogues at once when memory runs out while decoding or translating."""

import gc
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import torch

from common.core.memory import is_out_of_memory
from common.generation.config import DecodingConfig
from common.generation.decoder import Decoder, budget_of
from common.runs.candidates import Candidate

Source = Sequence[int]
T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass
class Fitting:
    """The part of a batch that fits into memory: a batch that does not is split in two, and later ones too."""

    most: int | None = None
    """Most tokens of a batch that may fit; None until memory has run out."""

    def in_parts(
        self,
        sources: Sequence[Source],
        work: Callable[[Sequence[Source]], list[T]],
        tokens: Callable[[Sequence[Source]], int],
    ) -> list[T]:
        """Return what `work` returns for all sources, one result for each, from as many calls as memory needs.

        `tokens`: the number of tokens that some sources hold in memory at once. Raises what `work` raises when one source
        alone does not fit.
        """
        found: list[T] = []
        while len(found) < len(sources):
            part = self._first(sources[len(found) :], tokens)
            try:
                found += work(part)
                continue
            except (MemoryError, RuntimeError) as error:
                if len(part) == 1 or not is_out_of_memory(error):
                    raise
            # Here the exception is gone, and with it the tensors of the failed batch.
            self.most = tokens(part) // 2
            log.warning(
                "out of memory with %d texts at once; going on with half as many (a lower --tokens-at-once avoids this).",
                len(part),
            )
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        return found

    def _first(
        self, sources: Sequence[Source], tokens: Callable[[Sequence[Source]], int]
    ) -> Sequence[Source]:
        """Return the first sources that may fit into memory together, at least one."""
        count = len(sources)
        while self.most is not None and count > 1 and tokens(sources[:count]) > self.most:
            count -= 1
        return sources[:count]


@dataclass
class Halving:
    """A decoder that splits a batch in two when it runs out of memory, and later batches too, down to one dialogue."""

    decoder: Decoder
    shared: bool = False
    """Whether several processes must call the model equally often, so that none of them can split its batch alone."""
    fitting: Fitting = field(default_factory=Fitting)

    def __call__(
        self, sources: Sequence[Sequence[int]], config: DecodingConfig, seed: int
    ) -> list[list[Candidate]]:
        """Return the candidates of each source. Raises what the decoder raises when one dialogue alone does not fit."""
        if self.shared:
            return self.decoder(sources, config, seed)
        return self.fitting.in_parts(
            sources, lambda part: self.decoder(part, config, seed), lambda part: _tokens(part, config)
        )

    @property
    def made_with(self) -> str:
        """What the inner decoder's candidates depend on besides model and settings; "" for nothing."""
        return str(getattr(self.decoder, "made_with", ""))

    def tokens_at_once(self, config: DecodingConfig) -> int:
        """Return the inner decoder's token budget for `--tokens-at-once auto`."""
        return budget_of(self.decoder, config)


def _tokens(sources: Sequence[Sequence[int]], config: DecodingConfig) -> int:
    width = max(config.beams, config.candidates + config.samples)
    return len(sources) * (max(map(len, sources)) + config.max_new_tokens) * width
