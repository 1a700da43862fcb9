"""Suggestions for mistyped names."""

import pytest

from common.core.mistyped import did_you_mean, likely

EXPERIMENTS = ["exp001", "exp002", "exp010", "exp011"]


@pytest.mark.parametrize(
    ("typed", "known", "meant"),
    [
        ("para", ["back_translation", "paraphrase"], ["paraphrase"]),
        ("sen", ["speaker_swap", "sentence_drop"], ["sentence_drop"]),  # similar: neither
        (
            "exp01",
            EXPERIMENTS,
            ["exp001", "exp010", "exp011"],
        ),  # the same number, then those that begin like this
        ("exp1", ["exp013", "exp001", "exp010"], ["exp001"]),
        ("Exp1-seed2", ["exp001", "exp001-seed2"], ["exp001-seed2"]),
        ("exp009", EXPERIMENTS, []),  # a right name of another experiment
        ("exp0110", EXPERIMENTS, ["exp011"]),
        ("exp0002", EXPERIMENTS, ["exp002"]),
        ("EXP002", EXPERIMENTS, ["exp002"]),
        ("Turn_Drop", ["turn_drop"], ["turn_drop"]),
        ("ta", ["talk"], ["talk"]),
        ("", EXPERIMENTS, []),
        ("zzz", EXPERIMENTS, []),
        ("x", [], []),
    ],
)
def test_names_that_begin_with_what_was_typed_come_first(
    typed: str, known: list[str], meant: list[str]
) -> None:
    found = likely(typed, known)
    assert found[: len(meant)] == meant
    assert bool(found) == bool(meant)
    assert did_you_mean(typed, known) == (f" Did you mean {meant[0]}?" if meant else "")


def test_names_that_should_not_be_suggested_come_last() -> None:
    known = ["dialogsum_en", "dialogue_summarization"]
    assert likely("dialog", known) == ["dialogsum_en", "dialogue_summarization"]
    assert likely("dialog", known, last=["dialogsum_en"]) == ["dialogue_summarization", "dialogsum_en"]
