"""Ranges: what a type declares is what is checked and what a message says."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Gt, Interval, Le, Len, Lt, MinLen, MultipleOf

from common.core.config import check, override
from common.core.errors import UserError
from common.core.ranges import described, fits

Betas = Annotated[tuple[Annotated[float, Ge(0), Lt(1)], ...], Len(2, 2)]


@pytest.mark.parametrize(
    ("hint", "inside", "outside", "words"),
    [
        (Annotated[float, Gt(0), Le(1)], (1, 1.0, 5e-324), (0, -0.0, 1.0000001, float("nan"), 10**400, True, "1", None),
         "a number above 0 and at most 1"),
        (Annotated[float, Interval(ge=0, le=1)], (0, 1), (-1, 2), "a number from 0 to 1"),
        (Annotated[float, Ge(0)], (0, 1e308, 10**400), (float("inf"), -1), "a number of at least 0"),
        (Annotated[int, Ge(64), Le(2048), MultipleOf(64)], (64, 2048), (63, 65, 0, 2112, 64.0, False),
         "a whole number from 64 to 2,048, a multiple of 64"),
        (Annotated[int, Ge(1)] | None, (None, 1), (0, "none"), "a whole number of at least 1 or none"),
        (Literal["auto"] | Annotated[int, Ge(1)], ("auto", 1), (0, "1", None), "auto or a whole number of at least 1"),
        (Literal["a", "b", "c"], ("a",), ("d", None, 1), "a, b or c"),
        (Betas, ((0.9, 0.98), [0, 0.5]), ((0.9,), (0.9, 0.9, 0.9), (0.9, 1.0), 0.9, "ab"),
         "2 numbers separated by commas, each of at least 0 and below 1"),
        (Annotated[tuple[str, ...], Len(1, 3)], (("a",),), ((), ("a",) * 4, "a"), "1 to 3 texts separated by commas"),
        (Annotated[tuple[int, ...], MinLen(1)], ((1,),), ((), (1.5,)), "1 or more whole numbers separated by commas"),
        (tuple[Literal["a", "b"], ...], ((), ("a", "a")), (("c",),), "names separated by commas, each a or b"),
        (Annotated[str, MinLen(1)], ("x", "a b"), ("", "  ", "x" * 1001, "a\n", "\udc80", 1), "a text that is not empty"),
        (bool, (True, False), (1, 0, "true"), "true or false"),
    ],
)  # fmt: skip
def test_a_range(hint: Any, inside: tuple[Any, ...], outside: tuple[Any, ...], words: str) -> None:
    assert [value for value in inside if not fits(hint, value)] == []
    assert [value for value in outside if fits(hint, value)] == []
    assert described(hint) == words


def test_an_annotation_that_is_no_bound_of_a_setting_is_a_mistake_of_the_code() -> None:
    for hint in (dict[str, int], bytes):
        with pytest.raises(TypeError, match="a setting cannot have"):
            fits(hint, {})


@dataclass(frozen=True)
class Inner:
    low: Annotated[int, Ge(0), Le(9)] = 1
    high: Annotated[int, Ge(0), Le(9)] = 2

    def require_consistent(self) -> None:
        if self.low > self.high:
            raise UserError(f"--low {self.low} is above --high {self.high}")


@dataclass(frozen=True)
class Config:
    rate: Annotated[float, Gt(0), Le(1)] = 0.5
    inner: Inner = Inner()


def test_settings_that_depend_on_one_another_are_judged_together() -> None:
    """Not one by one: on the way from 1 and 2 to 5 and 6 the first is above the second."""
    assert override(Config(), ["--low=5"], complete=False)[0] == Config(inner=Inner(5, 2))
    assert override(Config(), ["--low=5", "--high=6"])[0] == Config(inner=Inner(5, 6))
    with pytest.raises(UserError, match="--low 5 is above --high 2"):
        override(Config(), ["--low=5"])


def test_a_default_out_of_range_names_the_module_that_declares_it() -> None:
    for config in (Config(rate=-1), Config(rate=float("nan")), Config(rate=10**400)):
        with pytest.raises(
            UserError, match=rf"^{__name__}: --rate: found .{{1,45}}, wanted a number above 0"
        ):
            check(config)
        with pytest.raises(UserError, match=rf"^{__name__}: --rate: found"):
            override(config, ["--low=0"])
