"""Every setting of every experiment and augmentation method declares its range, and holds no secret."""

import math
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import pytest
from annotated_types import MultipleOf

from common.core.config import check, leaves, override, plain
from common.core.errors import UserError
from common.core.ranges import described, fits, numbers, parts
from common.postprocess.rules import RULES, RuleName
from common.runs.record import to_arguments
from tests.support import repository as stages
from tests.support import tiny
from tests.support.secrets import CANARY
from tests.support.settings import CONFIGS, each

ODD = ("0", "-1", "1e30", "-1e30", "9" * 400, "1" + "0" * 5000, "nan", "inf", "-inf", "1_000", "", " ", "1,", "0x10", "٣", "1e999", "none",
       "true", "[1]", "1\n2", "1e-320")  # fmt: skip


def edges(hint: Any) -> Iterator[str]:
    """Yield numbers below, at and above each bound of a type, as text."""
    for kind, bounds in numbers(hint):
        for bound in bounds:
            for key in ("gt", "ge", "lt", "le"):
                if hasattr(bound, key):
                    at = getattr(bound, key)
                    yield from (
                        (str(int(at) - 1), str(int(at)), str(int(at) + 1))
                        if kind is int
                        else (
                            str(math.nextafter(at, -math.inf)),
                            str(float(at)),
                            str(math.nextafter(at, math.inf)),
                        )
                    )
            if isinstance(bound, MultipleOf):
                yield from (str(bound.multiple_of * 3 + 1), str(bound.multiple_of * 4))


@each
def test_every_number_declares_a_smallest_and_a_largest_value(name: str) -> None:
    for key, (hint, _) in leaves(CONFIGS[name]).items():
        for kind, bounds in numbers(hint):
            low = [b for b in bounds if hasattr(b, "gt") or hasattr(b, "ge")]
            high = [b for b in bounds if hasattr(b, "lt") or hasattr(b, "le")]
            assert low and high, f"{name}: --{key} ({kind.__name__}) declares no range"


@each
def test_the_defaults_and_the_smoke_settings_are_inside_their_ranges(name: str) -> None:
    check(CONFIGS[name])
    if name.startswith("exp"):
        check(import_module(f"experiments.{name}.config").SMOKE)


def independent(kind: type, bounds: Any, value: float) -> bool:
    """Return whether a number is inside the bounds, computed here once more."""
    checks = {"gt": lambda a: value > a, "ge": lambda a: value >= a, "lt": lambda a: value < a, "le": lambda a: value <= a,
              "multiple_of": lambda a: value % a == 0}  # fmt: skip
    return math.isfinite(value) and all(
        test(getattr(bound, key)) for bound in bounds for key, test in checks.items() if hasattr(bound, key)
    )


@each
def test_every_value_of_a_number_is_refused_in_one_line_or_applied(name: str) -> None:
    """Values below, at and above each bound, and what scripts and fingers produce by mistake."""
    config = CONFIGS[name]
    for key, (hint, _) in leaves(config).items():
        kind, bounds = parts(hint)
        if kind not in (int, float):
            continue
        for text in (*edges(hint), *ODD):
            try:
                number = kind(text) if text.isascii() and "_" not in text else None
                inside = number is not None and independent(kind, bounds, number)
            except (ValueError, OverflowError):
                number, inside = None, False
            try:
                found, changed = override(config, [f"--{key}={text}"])
            except UserError as error:
                message = str(error)
                assert len(message) < 400 and message.isprintable(), message
                if f"wanted {described(hint)}." in message:
                    assert not inside, message
                else:  # another setting does not allow it
                    assert inside and key.rsplit(".", 1)[-1].replace("_", "-") in message.replace("_", "-"), (
                        message
                    )
            else:
                assert inside, f"--{key}={text} was accepted"
                assert changed == {key: number}
                assert leaves(found)[key][1] == number


@each
def test_every_value_of_another_setting_is_refused_in_one_line_or_applied(name: str) -> None:
    config = CONFIGS[name]
    for key, (hint, _) in leaves(config).items():
        if parts(hint)[0] in (int, float):
            continue
        for text in (
            *edges(hint),
            *ODD,
            "unknown",
            "a" * 300,
            "가" * 2000,
            "a\x1b[31mb",
            "\udc80",
            "[" * 3000,
            "a,,b",
            ",",
            "a, a",
        ):
            try:
                found, _ = override(config, [f"--{key}={text}"])
            except UserError as error:
                message = str(error)
                assert len(message) < 500 and message.isprintable(), message
            else:
                value = leaves(found)[key][1]
                assert fits(hint, value)
                items = value if isinstance(value, tuple) else [value]
                if all(isinstance(item, str) for item in items):
                    assert all(item in text for item in items)


def test_the_list_of_rules_is_the_list_of_their_names() -> None:
    assert set(get_args(RuleName)) == set(RULES)


REFUSED = (
    "--learning-rate=-1", "--accumulation=0", "--accumulation=-1", "--betas=0.9", "--betas=0.9,0.98,0.9", "--vocabulary=0", "--width=63",
    "--dropout=2", "--seed=-1", "--candidates=0", "--top-p=-1", "--epochs=1e9", "--max-gradient-norm=-1", "--max-gradient-norm=0",
    "--label-smoothing=-1", "--weight-decay=-1", "--warmup=2", "--ema=2", "--dev-rows=-1", "--rules=nfc,polish", 
    "--vocabulary=1000000000", f"--seed={'9' * 400}", "--tokens-per-batch=0", "--patience=0",
    "--run=exp002-" + "x" * 300, "--run", "--competition=", "--run=", f"--base-url=https://u:{CANARY}@host", f"--run=sk-{CANARY}",
    f"sk-{CANARY}", "--smoke=1",
)  # fmt: skip


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.repository(tmp_path_factory.mktemp("settings") / "repository", train_rows=40, other_rows=6)


TOGETHER = (
    "--positions=100",
    "--candidates=9",
    "--temperature=1e-30",
    "--max-new-tokens=2000",
    "--max-characters=0",
)


@pytest.mark.parametrize(
    ("stage", "word"),
    [*(("train", word) for word in (*REFUSED, *TOGETHER)), *(("infer", word) for word in REFUSED)],
)
def test_a_refused_run_leaves_nothing_behind(copy: Path, stage: str, word: str) -> None:
    with pytest.raises(SystemExit) as end:
        stages.stage(copy, "exp002", stage, "--smoke", "--competition=daily_talk", word)
    message = str(end.value.code)
    assert message.startswith("error: ") and "\n" not in message and len(message) < 400
    assert CANARY not in message
    assert not (copy / "outputs").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "words", "part"),
    [
        ("experiments.exp002.train", ["--learning-rate", "-1"], "error: --learning-rate: found -1.0, wanted a number above 0 and at most 1."),
        ("experiments.exp002.train", ["--epochs", "1e9"], "error: --epochs: found 1000000000.0, wanted a number above 0 and at most 1,000."),
        ("experiments.exp006.train", ["--base-url", f"https://u:{CANARY}@h"], "error: --base-url: found what looks like a name or password"),
        ("experiments.exp006.train", ["--key-name", CANARY], "error: llm: key_name is not the name of an environment variable"),
        ("common.augment", ["--method=paraphrase", "--model", f"up_{CANARY}"], "error: --model: found what looks like the beginning"),
        ("common", ["submit", "--blend", f"hf_{CANARY}"], "error: --blend: found what looks like the beginning of an API key"),
        ("common", ["train", "exp002", f"--base-url=https://h/?key={CANARY}"], "error: --base-url: found what looks like a URL with a query"),
    ],
)  # fmt: skip
def test_a_process_refuses_in_one_line(copy: Path, module: str, words: list[str], part: str) -> None:
    options = ["--smoke", "--competition=daily_talk"] if module.startswith("experiments") else []
    code, output = tiny.run(copy, module, *words, *options)
    assert code == 1
    assert output.startswith(part) and output.count("\n") == 1, output
    assert CANARY not in output
    written = [p for p in copy.rglob("*") if p.is_file() and CANARY.encode() in p.read_bytes()]
    assert not written and not (copy / "outputs").exists()


@each
def test_every_recorded_setting_can_be_given_again(name: str) -> None:
    """As `to_arguments` repeats a run, and as a W&B sweep writes its values."""
    config = CONFIGS[name]
    recorded = plain(config)
    assert plain(override(config, to_arguments(recorded))[0]) == recorded
    for key, value in recorded.items():
        assert plain(override(config, [f"--{key}={value}"])[0]) == recorded
