"""What comes back from asking: answers, what they cost, and what they would cost."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """What became of one request."""

    text: str
    """The tidied answer, "" when it failed."""
    problem: str
    """Why it failed, "" when it is good."""
    prompt_tokens: int
    """Over all calls that were made for it, in earlier runs too."""
    completion_tokens: int
    cached: bool
    """Whether no call was made for it now."""
    retried: bool
    """Whether the stricter instruction was needed."""


@dataclass(frozen=True)
class Usage:
    """What one run did and cost; for the run folder."""

    calls: int
    """Calls that brought an answer."""
    cached: int
    """Answers that needed no call."""
    retries: Mapping[str, int]
    """Attempts that failed and were made again, by reason: connect, unknown host, timeout, dropped, broken, or the
    status."""
    failed: int
    """Answers with a problem."""
    prompt_tokens: int
    completion_tokens: int
    cost: float
    """US dollars for the answers that arrived."""
    lost_cost: float
    """US dollars that the server may have charged besides, at most, for answers that were lost on the way."""
    seconds: float

    def __str__(self) -> str:
        again = ", ".join(f"{count} × {reason}" for reason, count in sorted(self.retries.items()))
        lost = f" (and up to ${self.lost_cost:.4f} for lost answers)" if self.lost_cost else ""
        return (
            f"{self.calls} calls, {self.cached} answers from the cache, {self.failed} failed, "
            f"{self.prompt_tokens:,} + {self.completion_tokens:,} tokens, ${self.cost:.4f}{lost}, {self.seconds:.1f} s"
            f"{f'; tried again: {again}' if again else ''}"
        )


@dataclass(frozen=True)
class Estimate:
    """What a run would do, without doing it."""

    calls: int
    """Calls to make; an answer that fails its check takes one more."""
    cached: int
    """Requests whose answer is there."""
    prompt_tokens: int
    """About, rather too many."""
    completion_tokens: int
    """At most."""
    cost: float
    """US dollars at most, for one call each."""
    budget: float
    """US dollars that the run may spend."""

    def __str__(self) -> str:
        over = f", more than the budget of ${self.budget:.2f}: the run would stop there"
        return (
            f"{self.calls} calls to make, {self.cached} answers are there; about {self.prompt_tokens:,} prompt tokens, "
            f"at most {self.completion_tokens:,} of answers, at most ${self.cost:.4f}"
            f"{over if self.cost > self.budget else ''}. An answer that fails its check is asked for once more."
        )
