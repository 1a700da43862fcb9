"""Read the parameters of a sweep file, and judge them by the settings that they would change."""

import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, get_args

from annotated_types import Ge, Le, MultipleOf

from common.core.config import converted, leaves, shortest
from common.core.errors import UserError
from common.core.files import shown
from common.core.messages import brief, cut, listed, quoted
from common.core.mistyped import likely
from common.core.ranges import described, fits, is_union, numbers, parts
from common.core.secrets import COMMITS, refusal, secret_in
from common.core.suggestions import nearest
from common.core.toml_table import TomlTable
from common.runs.record import INFER_ONLY
from common.runs.start import settings_command
from common.sweep.parameter import Distribution, Parameter

KNOWN: tuple[Distribution, ...] = get_args(Distribution)
_EXPONENTS = {
    "log_uniform": "log_uniform_values",
    "inv_log_uniform": "log_uniform_values",
    "q_log_uniform": "q_log_uniform_values",
}
"""Distributions of W&B whose bounds are exponents of e → the same with values as bounds."""
_SAME = {"inv_log_uniform_values": "log_uniform_values", "categorical_w_probabilities": "categorical"}
_SHAPES = {"normal": ("mu", "sigma"), "log_normal": ("mu", "sigma"), "beta": ("a", "b")}
_GREEDY = ("decoding.max_new_tokens", "decoding.no_repeat_ngram", "decoding.repetition_penalty")
"""Settings of decoding that training's evaluation uses; it decodes greedily."""
_MOST_VALUES = 1000
_MOST = 1e12  # no setting can be larger, and quotients stay finite
_Number = Annotated[float, Ge(-_MOST), Le(_MOST)]
_Spread = Annotated[float, Ge(0), Le(_MOST)]
_Step = Annotated[float, Ge(1 / _MOST), Le(_MOST)]
_Shape = Annotated[float, Ge(0.001), Le(1_000_000)]


def read_parameters(
    path: Path, given: Mapping[str, Any], config: Any, experiment: str
) -> tuple[Parameter, ...]:
    """Return the parameters of a sweep file in its order, each with the full dotted name of its setting.

    A nested parameter has the name of the outer one before its own, as the setting has.
    Raises UserError for a setting that does not exist or is named twice, and for values that it cannot have.
    """
    known = leaves(config)
    found: dict[str, Parameter] = {}
    for written, table in _flat(path, given, ""):
        name = _setting(path, written, known, experiment)
        if name in found:
            raise UserError(
                f"{shown(path)}: key {quoted(table.where)} is the setting {name} for a second time; wanted each setting once. "
                "Edit that file."
            )
        found[name] = _parameter(table, name, known[name][0], experiment)
    return tuple(found.values())


def _flat(path: Path, given: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, TomlTable]]:
    """Yield the written name and the table of every parameter, those inside others too."""
    where = "parameters" + "".join(f".{part}.parameters" for part in prefix.split(".") if part)
    outer = TomlTable(path, where, given)
    if not given:
        raise UserError(
            f"{shown(path)}: key {quoted(where)} is empty; wanted at least one setting. Edit that file."
        )
    for name in given:
        inner = outer.take(
            name, dict, 'what the setting may be, such as "values: [1, 2]" or "min: 1" and "max: 8"'
        )
        if "parameters" in inner:
            table = TomlTable(path, f"{where}.{name}", inner)
            below = table.take("parameters", dict, "the settings of that group")
            table.done()
            yield from _flat(path, below, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", TomlTable(path, f"{where}.{name}", inner)


def _setting(path: Path, written: str, known: dict[str, tuple[Any, Any]], experiment: str) -> str:
    """Return the dotted name of the setting that is meant."""
    name = written.replace("-", "_")
    found = [key for key in known if name in (key, key.rsplit(".", 1)[-1])]
    if len(found) == 1:
        return found[0]
    if found:
        raise UserError(
            f"{shown(path)}: parameter {quoted(written, 40)} may mean {' or '.join(found)}; write one of these in full. "
            "Edit that file."
        )
    close = ", ".join(shortest(key, known) for key in nearest(name, known))
    hint = f" Did you mean {close}?" if close else ""
    raise UserError(
        f"{shown(path)}: parameter {quoted(written, 40)} is no setting of {experiment}.{hint} To list all settings: "
        f"{settings_command(experiment)}"
    )


def _parameter(table: TomlTable, name: str, hint: Any, experiment: str) -> Parameter:
    kind = _distribution(table)
    if kind == "constant":
        table.known.add("value")
        if "value" not in table.value:
            raise table.wrong("value", "missing", described(hint))
        parameter = Parameter(name, kind, values=(_value(table, "value", table.value["value"], name, hint),))
    elif kind == "categorical":
        parameter = _categorical(table, name, hint)
    else:
        parameter = _number(table, name, hint, kind)
    table.done()
    if parameter.chooses:
        _require_measured(table, name, experiment)
    return parameter


def _require_measured(table: TomlTable, name: str, experiment: str) -> None:
    """Raise UserError for a setting that no trial's score would show."""
    where = f"{shown(table.path)}: key {quoted(table.where)}"
    if name == "dev_rows":
        raise UserError(
            f"{where} changes on which dialogues a trial is scored, so trials could not be compared; wanted one value for all "
            f'("value: 200"). Edit that file.'
        )
    if name.startswith(INFER_ONLY) and name not in _GREEDY:
        raise UserError(
            f"{where} changes nothing in training, where dev summaries are decoded greedily, so every trial would have the same "
            f"score; leave it out, and compare its values with make exp={experiment} infer. Edit that file."
        )


def _distribution(table: TomlTable) -> Distribution:
    """Return the distribution that a parameter names, or that its keys imply, as in W&B."""
    written = table.value.get("distribution")
    if written is None:
        bounds = [table.value.get(key) for key in ("min", "max")]
        if "value" in table.value:
            return "constant"
        if "values" in table.value:
            return "categorical"
        if None not in bounds:
            return "int_uniform" if all(isinstance(bound, int) for bound in bounds) else "uniform"
        raise UserError(
            f'{shown(table.path)}: key {quoted(table.where)} has {listed(table.value) or "nothing"}; wanted "value", "values", '
            '"min" and "max", or "distribution" with what it needs. Edit that file.'
        )
    known = [*KNOWN, *_EXPONENTS, *_SAME]
    wanted = f"one of {', '.join(known)}"
    name = table.text("distribution", wanted)
    if name not in known:
        raise table.wrong("distribution", brief(name, 40), hint_of(name, known) + wanted)
    found: Distribution = _SAME.get(_EXPONENTS.get(name, name), _EXPONENTS.get(name, name))  # type: ignore[assignment]
    return found


def hint_of(name: str, known: Iterable[str]) -> str:
    """Return "did you mean NAME? " with the known name that a mistyped one most likely means; "" when none is similar."""
    close = likely(name, known)
    return f'did you mean "{close[0]}"? ' if close else ""


def _categorical(table: TomlTable, name: str, hint: Any) -> Parameter:
    table.known.add("distribution")
    wanted = f"a list of 1 to {_MOST_VALUES:,} values, each {described(hint)}"
    given = table.take("values", list, wanted)
    if not 0 < len(given) <= _MOST_VALUES:
        raise table.wrong("values", "empty" if not given else f"a list of {len(given):,}", wanted)
    values = tuple(_value(table, "values", value, name, hint) for value in given)
    for index, value in enumerate(values):
        if value in values[:index]:
            raise table.wrong(
                "values", f"{brief(given, 60)}, with {brief(given[index], 40)} twice", "each value once"
            )
    shares = table.take("probabilities", list, "a list of numbers from 0 to 1", None)
    if shares is None:
        return Parameter(name, "categorical", values=values)
    wanted = f"{len(values)} numbers from 0 to 1 with the sum 1, one for each value"
    if len(shares) != len(values) or not all(fits(Annotated[float, Ge(0), Le(1)], share) for share in shares):
        raise table.wrong("probabilities", brief(shares), wanted)
    if not math.isclose(sum(shares), 1, rel_tol=1e-5, abs_tol=1e-8):
        raise table.wrong("probabilities", f"{brief(shares)}, with the sum {sum(shares):g}", wanted)
    return Parameter(name, "categorical", values=values, probabilities=tuple(map(float, shares)))


def _value(table: TomlTable, key: str, given: Any, name: str, hint: Any) -> Any:
    """Return a value as the setting has it. Raises UserError when the setting cannot have it."""
    items = given if isinstance(given, list) else [given]
    text = ",".join("none" if item is None else str(item) for item in items)
    try:
        value = converted(text, hint)
    except ValueError:
        value = None if given is None else ...
    if words := secret_in(text, commit=name.rsplit(".", 1)[-1] in COMMITS):
        raise refusal(f"{shown(table.path)}: {table.where}", words)
    if isinstance(given, dict) or value is ... or not fits(hint, value):
        found = (
            brief(given, 40) if key == "value" else f"{brief(table.value[key], 60)}, with {brief(given, 40)}"
        )
        raise table.wrong(key, found, f"{described(hint)}, the range of {name}")
    return value


def _number(table: TomlTable, name: str, hint: Any, kind: Distribution) -> Parameter:
    """Return a parameter with the distribution of a number."""
    table.known.add("distribution")
    kinds = {found for found, _ in numbers(hint)} if _scalar(hint) else set()
    if not kinds:
        key = next((key for key in ("distribution", "min") if key in table.value), "max")
        raise table.wrong(
            key, brief(table.value[key], 40), f'"values: [...]", because {name} is {described(hint)}'
        )
    step = table.number("q", _Step, 1) if kind.startswith("q_") else None
    if kinds == {int} and kind != "int_uniform" and not isinstance(step, int):
        key = (
            "distribution"
            if "distribution" in table.value and step is None
            else "q"
            if step is not None
            else "min"
        )
        raise table.wrong(
            key, brief(table.value[key], 40),
            f"int_uniform, or q_uniform or q_log_uniform_values with a whole q, because {name} is a whole number",
        )  # fmt: skip
    shape = kind.removeprefix("q_")
    if names := _SHAPES.get(shape):
        ranges = {"mu": (_Number, 0.0), "sigma": (_Spread, 1.0), "a": (_Shape, 1.0), "b": (_Shape, 1.0)}
        parameter = Parameter(name, kind, q=step, **{key: table.number(key, *ranges[key]) for key in names})
        ends = dict.fromkeys(("low", "high"), names[0])
    else:
        low, high = _bounds(table, kind)
        parameter = Parameter(name, kind, low, high, step)
        ends = {"low": "min", "high": "max"}
    _require_inside(table, parameter, hint, ends)
    return parameter


def _scalar(hint: Any) -> bool:
    kind, _ = parts(hint)
    return kind in (int, float) or (is_union(kind) and any(_scalar(one) for one in get_args(kind)))


def _bounds(table: TomlTable, kind: Distribution) -> tuple[float, float]:
    """Return the bounds as values, not as exponents. Raises UserError unless the lower one is below the higher one."""
    exponents = table.value.get("distribution") in _EXPONENTS
    whole = kind == "int_uniform"
    wanted = (
        "a whole number"
        if whole
        else "an exponent of e from -690 to 690"
        if exponents
        else "a number above 0"
        if "log" in kind
        else "a number"
    )
    found = []
    for key in ("min", "max"):
        value = table.take(key, int if whole else (int, float), wanted)
        if (exponents and abs(value) > 690) or ("log" in kind and not exponents and value <= 0):
            raise table.wrong(key, brief(value, 40), wanted)
        if abs(value) > _MOST:
            raise table.wrong(key, brief(value, 40), f"{wanted}, at most {_MOST:g}")
        found.append(value)
    low, high = found
    if low >= high:
        raise table.wrong(
            "min",
            f"{brief(low, 40)} and max is {brief(high, 40)}",
            'a min below max, or "value: …" for one value',
        )
    if table.value.get("distribution") == "inv_log_uniform":
        low, high = -high, -low
    return (math.exp(low), math.exp(high)) if exponents else (low, high)


def _require_inside(table: TomlTable, parameter: Parameter, hint: Any, keys: Mapping[str, str]) -> None:
    """Raise UserError unless the setting can have the lowest value, the highest one and those between."""
    wanted = f"{described(hint)}, the range of {parameter.name}"
    for end, value in (("low", parameter.lowest), ("high", parameter.highest)):
        if not fits(hint, value):
            key = keys[end]
            found = brief(table.value[key], 40) if key in table.value else "missing"
            also = "" if value == table.value.get(key) else f", which gives {cut(f'{value:g}', 40)}"
            raise table.wrong(key, f"{found}{also}", wanted)
    step = parameter.q or 1
    multiple = next(
        (one.multiple_of for _, some in numbers(hint) for one in some if isinstance(one, MultipleOf)), None
    )
    if multiple and not fits(hint, parameter.lowest + step):
        key = "q" if "q" in table.value else "min"
        raise table.wrong(
            key,
            brief(table.value.get(key), 40),
            f"q_uniform with a q that is a multiple of {multiple}, because {parameter.name} is {described(hint)}",
        )
