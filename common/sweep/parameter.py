"""Describe what a sweep may set one setting to, and return its values."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal

Distribution = Literal[
    "constant",
    "categorical",
    "int_uniform",
    "uniform",
    "q_uniform",
    "log_uniform_values",
    "q_log_uniform_values",
    "normal",
    "q_normal",
    "log_normal",
    "q_log_normal",
    "beta",
    "q_beta",
]
"""Distributions of W&B. Its others are written as one of these: `log_uniform`, whose bounds are exponents of e, as
`log_uniform_values`, and `inv_log_uniform`, which has the same values, too."""
TAIL = 1e-4
"""Share of the values of an unbounded distribution at each end that are never chosen."""


@dataclass(frozen=True)
class Parameter:
    """One setting of a sweep, and the values that a trial may have."""

    name: str
    """Dotted name of the setting."""
    distribution: Distribution
    low: float = 0.0
    """Lowest value of a distribution with bounds; an int where the setting or the distribution is one of whole numbers."""
    high: float = 1.0
    """Highest value of a distribution with bounds."""
    q: float | None = None
    """Step of a q_ distribution: values are its multiples; None for any other distribution."""
    values: tuple[Any, ...] = ()
    """Values of a categorical distribution, and the one of a constant; a list of a setting is a tuple."""
    probabilities: tuple[float, ...] = ()
    """Probability of each value; () when all are equally likely."""
    mu: float = 0.0
    """Mean of a (log-)normal distribution."""
    sigma: float = 1.0
    """Standard deviation of a (log-)normal distribution."""
    a: float = 1.0
    """First shape parameter of a beta distribution."""
    b: float = 1.0
    """Second shape parameter of a beta distribution."""

    @property
    def chooses(self) -> bool:
        """Whether there are values to choose from; false for a constant."""
        return self.distribution != "constant"

    @property
    def finite(self) -> bool:
        """Whether a grid can go through all values, as W&B's does: a list, whole numbers, or steps between two bounds."""
        return self.distribution in ("constant", "categorical", "int_uniform", "q_uniform")

    @property
    def log(self) -> bool:
        """Whether the logarithms of the values are equally likely."""
        return self.distribution in ("log_uniform_values", "q_log_uniform_values")

    @property
    def lowest(self) -> float:
        """The lowest number that a trial can have; of a number's distribution only."""
        number: float = self.at(0.0)
        return number

    @property
    def highest(self) -> float:
        """The highest number that a trial can have; of a number's distribution only."""
        number: float = self.at(1.0)
        return number

    def at(self, quantile: float) -> Any:
        """Return the value below which a share of all values lies, `quantile` 0 to 1; W&B draws its values in the same way.

        The ends of an unbounded distribution are left out (TAIL).
        """
        if self.values:
            weights = self.probabilities or (1 / len(self.values),) * len(self.values)
            reached, sums = 0.0, []
            for weight in weights:
                reached += weight
                sums.append(reached)
            possible = [index for index, weight in enumerate(weights) if weight]
            return self.values[next((index for index in possible if quantile <= sums[index]), possible[-1])]
        if self.distribution == "int_uniform":
            return min(int(self.high), int(self.low) + int(quantile * (self.high - self.low + 1)))
        return self._rounded(self._continuous(quantile))

    def _continuous(self, quantile: float) -> float:
        kind = self.distribution.removeprefix("q_")
        if kind == "uniform":
            return self.low + quantile * (self.high - self.low)
        if kind == "log_uniform_values":
            low, high = math.log(self.low), math.log(self.high)
            return min(max(math.exp(low + quantile * (high - low)), self.low), self.high)
        inside = min(max(quantile, TAIL), 1 - TAIL)
        if kind == "beta":
            from scipy.stats import beta  # takes a second

            return float(beta.ppf(inside, self.a, self.b))
        value = NormalDist(self.mu, self.sigma).inv_cdf(inside) if self.sigma else self.mu
        return math.exp(min(value, 700.0)) if kind == "log_normal" else value

    def _rounded(self, value: float) -> float:
        """Return the nearest multiple of `q`, as W&B rounds: it may lie outside the bounds by half a step."""
        if self.q is None:
            return value
        multiple = round(value / self.q)
        if isinstance(self.q, int):
            return multiple * self.q
        return float(f"{multiple * self.q:.12g}")  # 0.3 instead of 0.30000000000000004

    def grid(self, most: int) -> list[Any]:
        """Return all values of a finite distribution in order, at most `most` + 1 of them.

        Call it only when `finite` is true.
        """
        if self.values:
            return [value for value, weight in zip(self.values, self._weights(), strict=True) if weight][
                : most + 1
            ]
        if self.distribution == "int_uniform":
            return list(range(int(self.low), int(self.high) + 1))[: most + 1]
        assert self.q is not None
        first, last = round(self.low / self.q), round(self.high / self.q)
        return [self._rounded(number * self.q) for number in range(first, min(last, first + most) + 1)]

    def _weights(self) -> Sequence[float]:
        return self.probabilities or (1.0,) * len(self.values)

    def for_wandb(self) -> dict[str, Any]:
        """Return the parameter in W&B's own format."""
        if self.distribution == "constant":
            return {"value": _plain(self.values[0])}
        if self.distribution == "categorical":
            found: dict[str, Any] = {"values": [_plain(value) for value in self.values]}
            if self.probabilities:
                found |= {
                    "distribution": "categorical_w_probabilities",
                    "probabilities": list(self.probabilities),
                }
            return found
        kind = self.distribution.removeprefix("q_")
        names = {"beta": ("a", "b"), "normal": ("mu", "sigma"), "log_normal": ("mu", "sigma")}.get(kind)
        shape = (
            {name: getattr(self, name) for name in names} if names else {"min": self.low, "max": self.high}
        )
        return {"distribution": self.distribution, **shape, **({"q": self.q} if self.q is not None else {})}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
