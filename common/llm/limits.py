"""Enforce the rate limits and the budget that all workers of a run share."""

import math
import threading
import time
from collections.abc import Sequence

from pyrate_limiter import Duration, InMemoryBucket, Limiter, Rate, SingleBucketFactory

from common.core.errors import UserError
from common.llm.config import LLMConfig
from common.prompts import Message

_TICK = 0.02  # seconds between two checks of a limit
_TEMPLATE_TOKENS = 16  # upper bound of the tokens that a chat template adds to a message
_MILLION = 1_000_000


class StoppedError(Exception):
    """Raised in a worker when the run is ending and no further call is made."""


def most_prompt_tokens(messages: Sequence[Message]) -> int:
    """Return an upper bound of the prompt's tokens: one per UTF-8 byte, the most a byte-level tokenizer makes."""
    return sum(
        len(message.content.encode("utf-8", "surrogatepass")) + _TEMPLATE_TOKENS for message in messages
    )


def likely_prompt_tokens(messages: Sequence[Message]) -> int:
    """Return an estimate of a Korean prompt's tokens, rather too high: one per syllable (three bytes)."""
    return math.ceil(most_prompt_tokens(messages) / 3)


def cost(config: LLMConfig, prompt_tokens: int, completion_tokens: int) -> float:
    """Return the price of so many tokens in US dollars."""
    return (prompt_tokens * config.price_prompt + completion_tokens * config.price_completion) / _MILLION


def _per_minute(count: int) -> tuple[InMemoryBucket, Limiter]:
    bucket = InMemoryBucket([Rate(count, Duration.MINUTE)])
    # The library's cleanup thread would outlive the run by seconds, so `RateLimits.wait` removes old items itself.
    return bucket, Limiter(SingleBucketFactory(bucket, schedule_leak=False))


class RateLimits:
    """The limits of requests and tokens a minute, and the pauses that the server asks for."""

    def __init__(self, config: LLMConfig, stop: threading.Event) -> None:
        self._config = config
        self._stop = stop
        self._turn = threading.Lock()  # first come, first served, so that a long prompt does not starve
        self._resume = 0.0
        self._pause_lock = threading.Lock()
        self._requests = _per_minute(config.requests_per_minute)
        self._tokens = _per_minute(config.tokens_per_minute)

    def pause(self, seconds: float) -> None:
        """Make every worker wait for so many seconds from now."""
        with self._pause_lock:
            self._resume = max(self._resume, time.monotonic() + seconds)

    def wait(self, tokens: int) -> None:
        """Wait until a call of so many tokens may be made. Raises StoppedError if the run ends first."""
        # A call above the limit would wait forever, so it counts as one whole minute.
        weight = min(tokens, self._config.tokens_per_minute)
        with self._turn:
            self._until_resumed()
            for (bucket, limiter), size in ((self._requests, 1), (self._tokens, weight)):
                bucket.leak(bucket.now())  # type: ignore[no-untyped-call]
                while not limiter.try_acquire(weight=size, blocking=False):
                    self._sleep(_TICK)
            self._until_resumed()

    def _until_resumed(self) -> None:
        while (left := self._resume - time.monotonic()) > 0:
            self._sleep(left)
        if self._stop.is_set():
            raise StoppedError

    def _sleep(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise StoppedError


class Budget:
    """Keeps the money spent, plus the maximum cost of the calls in flight, within the budget."""

    def __init__(self, config: LLMConfig, stop: threading.Event) -> None:
        self._config = config
        self._stop = stop
        self._changed = threading.Condition()
        self._reserved = 0.0
        self.spent = 0.0
        """US dollars spent on answers that arrived."""
        self.lost = 0.0
        """Upper bound, in US dollars, of what the server charged for answers that did not arrive completely."""

    def reserve(self, most: float) -> None:
        """Reserve the maximum cost of a call, waiting for the calls in flight if the budget is short.

        Waiting helps because calls usually cost less than their maximum. Raises UserError if the budget is used up, and
        StoppedError if the run ends first.
        """
        with self._changed:
            while self.spent + self.lost + self._reserved + most > self._config.budget:
                if self._stop.is_set():
                    raise StoppedError
                if self._reserved <= 1e-12:
                    raise UserError(
                        f"llm: the budget of ${self._config.budget:.2f} is used up: ${self.spent:.4f} spent"
                        f"{f', up to ${self.lost:.4f} for answers that were lost' if self.lost else ''}, and the next call "
                        f"may cost ${most:.4f}. Raise it with --budget."
                    )
                self._changed.wait(_TICK)
            self._reserved += most

    def settle(self, most: float, spent: float = 0.0, lost: float = 0.0) -> None:
        """Replace a reservation by the actual cost of the call."""
        with self._changed:
            self._reserved -= most
            self.spent += spent
            self.lost += lost
            self._changed.notify_all()
