"""Continue with half as many dialogues at once when memory runs out while decoding."""

import gc
import logging
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from common.core.memory import is_out_of_memory
from common.generation.config import DecodingConfig
from common.generation.decoder import Decoder, budget_of
from common.runs.candidates import Candidate

log = logging.getLogger(__name__)


@dataclass
class Halving:
    """A decoder that splits a batch in two when it runs out of memory, and later batches too, down to one dialogue."""

    decoder: Decoder
    shared: bool = False
    """Whether several processes must call the model equally often, so that none of them can split its batch alone."""
    most: int | None = None
    """Most tokens of a batch that may fit; None until memory has run out."""

    def __call__(
        self, sources: Sequence[Sequence[int]], config: DecodingConfig, seed: int
    ) -> list[list[Candidate]]:
        """Return the candidates of each source. Raises what the decoder raises when one dialogue alone does not fit."""
        found: list[list[Candidate]] = []
        while len(found) < len(sources):
            part = self._fitting(sources[len(found) :], config)
            try:
                found += self.decoder(part, config, seed)
                continue
            except (MemoryError, RuntimeError) as error:
                if self.shared or len(part) == 1 or not is_out_of_memory(error):
                    raise
            # Here the exception is gone, and with it the tensors of the failed batch.
            self.most = _tokens(part, config) // 2
            log.warning(
                "out of memory with %d dialogues at once; going on with half as many (a lower --tokens-at-once avoids this).",
                len(part),
            )
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        return found

    @property
    def made_with(self) -> str:
        """What the inner decoder's candidates depend on besides model and settings; "" for nothing."""
        return str(getattr(self.decoder, "made_with", ""))

    def tokens_at_once(self, config: DecodingConfig) -> int:
        """Return the inner decoder's token budget for `--tokens-at-once auto`."""
        return budget_of(self.decoder, config)

    def _fitting(self, sources: Sequence[Sequence[int]], config: DecodingConfig) -> Sequence[Sequence[int]]:
        """Return the first sources that may fit into memory together, at least one."""
        count = len(sources)
        while self.most is not None and count > 1 and _tokens(sources[:count], config) > self.most:
            count -= 1
        return sources[:count]


def _tokens(sources: Sequence[Sequence[int]], config: DecodingConfig) -> int:
    width = max(config.beams, config.candidates + config.samples)
    return len(sources) * (max(map(len, sources)) + config.max_new_tokens) * width
