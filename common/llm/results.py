"""Define the results of asking: answers, the usage of a run, and the estimate of one."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """The result of one request."""

    text: str
    """The tidied answer, "" if it failed its check."""
    problem: str
    """Why it failed, "" if it is good."""
    prompt_tokens: int
    """Sum over all calls made for it, also in earlier runs."""
    completion_tokens: int
    cached: bool
    """Whether this run made no call for it."""
    retried: bool
    """Whether the stricter question was needed."""


@dataclass(frozen=True)
class Usage:
    """The calls, tokens and cost of one run; written to the run folder."""

    calls: int
    """Number of calls that returned an answer."""
    cached: int
    """Number of answers that needed no call."""
    retries: Mapping[str, int]
    """Number of failed attempts that were retried, by reason: connect, unknown host, timeout, dropped, broken, error
    (an error of no known status), or the status."""
    failed: int
    """Number of answers with a problem."""
    prompt_tokens: int
    completion_tokens: int
    cost: float
    """US dollars spent on answers that arrived."""
    lost_cost: float
    """Upper bound, in US dollars, of what the server charged for answers that were lost on the way."""
    seconds: float

    def __str__(self) -> str:
        again = ", ".join(f"{count} × {reason}" for reason, count in sorted(self.retries.items()))
        lost = f" (and up to ${self.lost_cost:.4f} for lost answers)" if self.lost_cost else ""
        return (
            f"{self.calls} calls, {self.cached} answers from the cache, {self.failed} failed, "
            f"{self.prompt_tokens:,} + {self.completion_tokens:,} tokens, ${self.cost:.4f}{lost}, {self.seconds:.1f} s"
            f"{f'; retried: {again}' if again else ''}"
        )


@dataclass(frozen=True)
class Estimate:
    """The calls, tokens and cost of a run before it is made."""

    calls: int
    """Number of calls to make; an answer that fails its check needs one more."""
    cached: int
    """Number of requests whose answer is cached."""
    prompt_tokens: int
    """Estimated number, rather too high."""
    completion_tokens: int
    """Upper bound."""
    cost: float
    """Upper bound in US dollars, for one call each."""
    budget: float
    """US dollars that the run may spend."""

    def __str__(self) -> str:
        over = f", more than the budget of ${self.budget:.2f}, at which the run would stop"
        return (
            f"{self.calls} calls to make, {self.cached} answers are cached; about {self.prompt_tokens:,} prompt tokens, "
            f"at most {self.completion_tokens:,} completion tokens, at most ${self.cost:.4f}"
            f"{over if self.cost > self.budget else ''}. An answer that fails its check needs one more call."
        )
