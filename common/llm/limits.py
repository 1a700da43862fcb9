"""What keeps calls within the endpoint's limits and the user's budget, for all workers together."""

import math
import threading
import time
from collections.abc import Sequence

from pyrate_limiter import Duration, InMemoryBucket, Limiter, Rate, SingleBucketFactory

from common.errors import UserError
from common.llm.config import LLMConfig
from common.prompts import Message

_TICK = 0.02  # seconds between two looks at a limit
_FRAME = 16  # tokens that a chat template puts round a message, at most
_MILLION = 1_000_000


class StoppedError(Exception):
    """The run is ending: no further call is made."""


def most_prompt_tokens(messages: Sequence[Message]) -> int:
    """The most tokens a prompt can have: one a UTF-8 byte, as no byte-level tokenizer makes more."""
    return sum(len(message.content.encode("utf-8", "surrogatepass")) + _FRAME for message in messages)


def likely_prompt_tokens(messages: Sequence[Message]) -> int:
    """About how many tokens a Korean prompt has, rather too many: one a syllable (three bytes)."""
    return math.ceil(most_prompt_tokens(messages) / 3)


def cost(config: LLMConfig, prompt_tokens: int, completion_tokens: int) -> float:
    """US dollars for so many tokens."""
    return (prompt_tokens * config.price_prompt + completion_tokens * config.price_completion) / _MILLION


def _per_minute(count: int) -> tuple[InMemoryBucket, Limiter]:
    bucket = InMemoryBucket([Rate(count, Duration.MINUTE)])
    # The library's own sweeper is a thread that outlives the run by seconds; `Pace.wait` sweeps instead.
    return bucket, Limiter(SingleBucketFactory(bucket, schedule_leak=False))


class Pace:
    """Requests and tokens a minute, and a pause for everybody when the server asks for one."""

    def __init__(self, config: LLMConfig, stop: threading.Event) -> None:
        self._config = config
        self._stop = stop
        self._turn = threading.Lock()  # the first to come is the first to go, so no long prompt starves
        self._resume = 0.0
        self._pause_lock = threading.Lock()
        self._requests = _per_minute(config.requests_per_minute)
        self._tokens = _per_minute(config.tokens_per_minute)

    def pause(self, seconds: float) -> None:
        """Hold every worker back for so many seconds from now."""
        with self._pause_lock:
            self._resume = max(self._resume, time.monotonic() + seconds)

    def wait(self, tokens: int) -> None:
        """Return when a call of so many tokens may be made. Raises StoppedError when the run ends first."""
        # More than a minute's worth at once would never pass: it takes the whole minute.
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
    """What was spent, what calls in flight may cost at worst, and that both stay within the budget."""

    def __init__(self, config: LLMConfig, stop: threading.Event) -> None:
        self._config = config
        self._stop = stop
        self._changed = threading.Condition()
        self._reserved = 0.0
        self.spent = 0.0
        """US dollars for the answers that arrived."""
        self.lost = 0.0
        """US dollars at most for calls whose answer did not arrive whole: the server may have charged them."""

    def reserve(self, most: float) -> None:
        """Set aside what a call may cost, once that fits: calls in flight usually cost less than they may.

        Raises UserError when it cannot fit any more, StoppedError when the run ends first.
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
        """Replace what was set aside by what the call did cost."""
        with self._changed:
            self._reserved -= most
            self.spent += spent
            self.lost += lost
            self._changed.notify_all()
