"""A mistyped setting leads to the one that was meant."""

import pytest

from common.core.suggestions import MOST, nearest

KNOWN = (
    "seed", "dev_rows", "lengths.max_source_tokens", "model.width", "model.dropout", "lora.rank", "lora.alpha", "lora.dropout",
    "training.epochs", "training.tokens_per_batch", "training.learning_rate", "training.warmup", "decoding.beams",
    "decoding.max_new_tokens", "decoding.temperature", "decoding.samples_temperature", "postprocess.max_characters",
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("widht", ["model.width"]),
        ("Width", ["model.width"]),
        ("learning_rte", ["training.learning_rate"]),
        ("wraump", ["training.warmup"]),
        ("lr", ["training.learning_rate"]),
        ("rate", ["training.learning_rate"]),
        ("epoch", ["training.epochs"]),
        ("warmup_ratio", ["training.warmup"]),
        ("lora-rank", ["lora.rank"]),
        ("model.lora.rank", ["lora.rank"]),
        ("trainig.epochs", ["training.epochs"]),
        ("batch_size", ["training.tokens_per_batch"]),
        ("max_tokens", ["decoding.max_new_tokens", "lengths.max_source_tokens"]),
        ("temp", ["decoding.temperature"]),
        ("nothing_like_it_at_all", []),
        ("", []),
        ("--", []),
        ("seed " * 10_000, ["seed"]),
    ],
)
def test_the_setting_that_was_meant_comes_first(name: str, found: list[str]) -> None:
    close = nearest(name, KNOWN)
    assert set(found) <= set(close) and close[:1] == found[:1] if found else close == []
    assert len(close) <= MOST


def test_a_group_suggests_its_settings() -> None:
    assert nearest("lora", KNOWN) == ["lora.rank", "lora.alpha", "lora.dropout"]


def test_the_same_name_written_otherwise_is_the_only_suggestion() -> None:
    assert nearest("LORA-DROPOUT", KNOWN) == ["lora.dropout"]
