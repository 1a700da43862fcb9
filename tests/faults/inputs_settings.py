"""Give every setting of every experiment values that it cannot have."""

import dataclasses
import importlib
import random
import sys
import typing
from collections.abc import Iterator
from typing import Any

from tests.faults import worlds
from tests.faults.bench import stage
from tests.faults.outcome import Outcome, refusal
from tests.faults.tries import Context, Try
from tests.faults.worlds import COMPETITION
from tests.support import REPOSITORY

LIMIT = 20.0
DIGITS = "9" * 400
NOT_NUMBERS = ("", "abc", "nan", "inf", "1e400", DIGITS, "1,5")
MAY_BE_NEGATIVE = {"length_penalty", "frequency_penalty", "presence_penalty", "length"}
BAD: dict[str, tuple[str, ...]] = {
    "accumulation": ("0", "-3"), "attempts": ("0",), "base_url": ("ftp://h", "https://u:p@h/v1", "no url", "https://"),
    "beams": ("0",), "betas": ("0.9", "0.9,0.9,0.9", "1.5,0.9", "a,b", "0.9,-1"), "candidates": ("0",),
    "dropout": ("2", "1.01"), "ema": ("2", "1"), "epochs": ("0", "1e9"), "feed_forward": ("0",), "keep_checkpoints": ("0",),
    "key_name": ("not a name", "a-b"), "label_smoothing": ("2",), "layers": ("0",), "learning_rate": ("0", "-1e-3"),
    "max_gradient_norm": ("0",), "max_new_tokens": ("0",), "max_source_tokens": ("0",), "max_tokens": ("0",),
    "model": ("tiny:none", ""), "most_turns": ("0",), "patience": ("0",), "rank": ("0",), "rules": ("no_such_rule",),
    "samples": ("-1",), "shots": ("-1",), "styles": ("no_such_style",), "targets": ("no_such_layer",),
    "tokens_at_once": ("0",), "tokens_per_batch": ("0",), "top_p": ("2", "-1"), "train_rows": ("0",),
    "vocabulary": ("0", "1"), "warmup": ("2", "1.5"), "width": ("63", "0"), "workers": ("0",),
}  # fmt: skip
"""Values beside the general ones, by the last part of a setting's name."""
EMPTY_TEXT_ALLOWED = {"model"}
TINY = {"exp002": (), "exp011": (), "exp004": ("--model=tiny:mbart",), "exp009": ("--model=tiny:bart",),
        "exp003": ("--model=tiny:bart",), "exp008": ("--model=tiny:bart",), "exp010": ("--model=tiny:gemma3",),
        "exp013": ("--model=tiny:gemma3",), "exp007": ("--model=tiny:qwen2", "--quantization=none", "--gpu-memory=0"),
        "exp012": ("--model=tiny:qwen2", "--quantization=none", "--gpu-memory=0"),
        "exp014": ("--model=tiny:qwen3", "--quantization=none", "--gpu-memory=0"), "exp005": ("--model=tiny:qwen2", "--quantization=none", "--gpu-memory=0")}  # fmt: skip


def tries(context: Context) -> list[Try]:
    """Return the tries: each setting in the first and in the last experiment that has it."""
    places: dict[str, list[tuple[str, Any]]] = {}
    for experiment in sorted(path.parent.name for path in REPOSITORY.glob("experiments/exp*/config.py")):
        for name, hint in leaves(experiment).items():
            places.setdefault(name, []).append((experiment, hint))
    found = []
    for name, there in sorted(places.items()):
        for experiment, hint in {there[0][0]: there[0], there[-1][0]: there[-1]}.values():
            wrong = bad_values(name.rsplit(".", 1)[-1], hint)
            if name == "llm.model":  # an endpoint may call a model anything
                wrong.remove("tiny:none")
            for number, value in enumerate(wrong):
                found.append(
                    Try(
                        "bad settings",
                        experiment,
                        f"--{name} #{number} {value[:20]!r}",
                        refused,
                        (name, value),
                    )
                )
    if context.short:
        return random.Random(3).sample(found, 25)
    return found


def leaves(experiment: str) -> dict[str, Any]:
    """Return dotted name → declared type of every setting of an experiment, which is unloaded afterwards."""
    before = set(sys.modules)
    config = importlib.import_module(f"experiments.{experiment}.config").Config()
    found = dict(_leaves(config, ""))
    for name in set(sys.modules) - before:
        if name.split(".")[0] == "experiments":
            del sys.modules[name]
    return found


def _leaves(config: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    hints = typing.get_type_hints(type(config))
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            yield from _leaves(value, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}", hints[field.name]


def bad_values(name: str, hint: Any) -> list[str]:
    """Return values that a setting of this name and type cannot have."""
    found = list(BAD.get(name, ()))
    if name in EMPTY_TEXT_ALLOWED:
        found = [value for value in found if value]
    kinds = typing.get_args(hint) if typing.get_origin(hint) is not None else (hint,)
    origin = typing.get_origin(hint)
    if origin is typing.Literal:
        found += ["no_such_choice", ""]
    elif origin is tuple:
        found += ["nan,nan", "a,b"] if float in kinds or int in kinds else []
    elif bool in kinds:
        found += ["maybe", "2", ""]
    elif int in kinds or float in kinds:
        found += NOT_NUMBERS
        if int in kinds:
            found += ["1.5", "0x10"]
        if name not in MAY_BE_NEGATIVE:
            found += ["-1"]
    elif str in kinds:
        found += ["\x1b[31mred\x07"] if name not in ("key_name",) else []
    return list(dict.fromkeys(found))


def refused(context: Context, this: Try, _: random.Random) -> Outcome:
    """Train with the value: it must be refused by name, and nothing may be written."""
    name, value = this.given
    bench = context.bench
    root = bench.repository(worlds.base(context.work))
    before = worlds.hashes(root)
    small = (*TINY.get(this.group, ()), f"--competition={COMPETITION}")
    if this.group in ("exp002", "exp011"):
        small += ("--epochs=0.2", "--dev-rows=1", *worlds.FROM_SCRATCH)
    elif this.group in TINY and this.group not in ("exp005",):
        small += ("--epochs=0.2", "--dev-rows=1")
    given = [
        word for word in small if word.partition("=")[0] != f"--{name.rsplit('.', 1)[-1].replace('_', '-')}"
    ]
    ended = bench.run(root, stage(this.group, "train", *given, f"--{name}={value}"), LIMIT)
    last = name.rsplit(".", 1)[-1]
    judged = refusal(ended, names=(last, last.replace("_", "-")))
    if judged.kind == "ok" and (written := sorted(set(worlds.hashes(root)) - set(before))):
        return Outcome("wrong", f"refused, but it wrote {', '.join(written[:3])}")
    return Outcome(judged.kind, judged.detail)
