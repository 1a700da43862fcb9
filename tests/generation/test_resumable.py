"""Files of candidates: the same after a crash at any byte."""

import os
import random
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from common.core.errors import UserError
from common.core.signals import Interrupted
from common.generation import resumable
from common.generation.config import DecodingConfig
from common.generation.decoder import BatchingDecoder
from common.generation.hf import hf_decoder
from common.generation.resumable import generate
from common.runs import candidates
from common.runs.candidates import Candidate
from tests.support import tiny
from tests.support.decoding import BEAM, GREEDY, SAMPLED, WORDS, plain, sources_of

SMALL_BATCHES = replace(SAMPLED, tokens_at_once=700)  # two or three dialogues at a time


def make(model: PreTrainedModel, path: Path, config: DecodingConfig = SMALL_BATCHES, key: str = "k", seed: int = 1,
         sources: dict[str, list[int]] | None = None) -> dict[str, list[Candidate]]:  # fmt: skip
    path.parent.mkdir(exist_ok=True)
    given = sources_of("bart") if sources is None else sources
    return generate(hf_decoder(model, WORDS), given, config, path, key=key, seed=seed)


def test_candidates_keep_the_order_given_and_are_the_same_on_disk(
    taught_models: dict[str, PreTrainedModel], tmp_path: Path
) -> None:
    sources = sources_of("bart", 12)
    shuffled = dict(random.Random(3).sample(sorted(sources.items()), 12))  # not by id, not by length
    lengths = [len(source) for source in shuffled.values()]
    assert lengths != sorted(lengths, reverse=True)
    assert len(resumable.batches(lengths, SMALL_BATCHES)) > 3
    found = make(taught_models["bart"], tmp_path / "a.jsonl", sources=shuffled)
    assert list(found) == list(shuffled)
    stored = candidates.read(tmp_path / "a.jsonl")
    assert list(stored) == list(shuffled)
    assert stored == found
    assert {len(group) for group in found.values()} == {3}
    # Each id has the summary of its own source.
    greedy = make(
        taught_models["bart"], tmp_path / "b.jsonl", replace(GREEDY, tokens_at_once=300), sources=shuffled
    )
    for name, source in shuffled.items():
        (ids,) = plain(taught_models["bart"], source, GREEDY)
        assert greedy[name][0].text == WORDS.decode(ids, skip_special_tokens=True).strip()


@pytest.mark.parametrize(
    "config", [SMALL_BATCHES, replace(BEAM, tokens_at_once=900)], ids=["sampled", "beam"]
)
def test_after_a_crash_at_any_byte_the_same_candidates_come_out(
    taught_models: dict[str, PreTrainedModel], tmp_path: Path, config: DecodingConfig
) -> None:
    path = tmp_path / "candidates.jsonl"
    make(taught_models["bart"], path, config)
    whole = path.read_bytes()
    rng = random.Random()
    hangul = next(i for i, byte in enumerate(whole) if byte > 127) + 1  # in the middle of a letter
    for size in (0, hangul, len(whole) - 1, rng.randrange(len(whole)), rng.randrange(len(whole))):
        path.write_bytes(whole[:size])
        make(taught_models["bart"], path, config)
        assert path.read_bytes() == whole, size
    # As the crash leaves it: lines in the order of decoding.
    lines = whole.splitlines(keepends=True)
    rng.shuffle(lines)
    path.write_bytes(b"".join(lines[:4]) + lines[4][:20])
    make(taught_models["bart"], path, config)
    assert path.read_bytes() == whole


def test_a_second_crash_after_the_first_is_survived_too(
    taught_models: dict[str, PreTrainedModel], tmp_path: Path
) -> None:
    path = tmp_path / "candidates.jsonl"
    make(taught_models["bart"], path)
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    path.write_bytes(lines[2] + lines[5][:20])
    with pytest.raises(IndexError):  # the last batch holds a token that the model does not know
        make(taught_models["bart"], path, sources=sources_of("bart") | {"worse": [10**6]})
    written = [path, *path.parent.glob("candidates.*.jsonl")]
    left = [line for file in written for line in file.read_bytes().splitlines(keepends=True)]
    assert 1 < len(left) < len(lines)
    assert set(left) < set(lines)
    make(taught_models["bart"], path)
    assert path.read_bytes() == whole


def test_a_finished_file_is_not_decoded_again(
    taught_models: dict[str, PreTrainedModel], tmp_path: Path
) -> None:
    path = tmp_path / "candidates.jsonl"
    found = make(taught_models["bart"], path)
    assert make(tiny.model("bart", WORDS, seed=9), path) == found  # another model is never asked


def test_another_key_or_seed_starts_anew(taught_models: dict[str, PreTrainedModel], tmp_path: Path) -> None:
    path = tmp_path / "candidates.jsonl"
    first = make(taught_models["bart"], path)
    fewer = replace(SMALL_BATCHES, candidates=2)
    second = make(taught_models["bart"], path, fewer, key="other settings")
    assert second == make(taught_models["bart"], tmp_path / "fresh.jsonl", fewer)
    assert {len(group) for group in second.values()} == {2}
    assert make(taught_models["bart"], path, key="k", seed=2) != first
    (tmp_path / "candidates.key.json").unlink()  # nobody knows what the lines were made with
    assert make(taught_models["bart"], path, key="k", seed=1) == first


def test_a_file_of_other_dialogues_is_refused(
    taught_models: dict[str, PreTrainedModel], tmp_path: Path
) -> None:
    path = tmp_path / "candidates.jsonl"
    make(taught_models["bart"], path)
    fewer = dict(list(sources_of("bart").items())[1:])
    with pytest.raises(
        UserError, match=r"candidates\.jsonl: id 'test_0' is not in this split; delete the file"
    ):
        make(taught_models["bart"], path, sources=fewer)


def test_a_broken_line_is_named(taught_models: dict[str, PreTrainedModel], tmp_path: Path) -> None:
    path = tmp_path / "candidates.jsonl"
    make(taught_models["bart"], path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b'{"id": "test_1", "cand\n' + b"".join(lines[2:]))
    with pytest.raises(UserError, match=r"candidates\.jsonl:2: not valid JSON"):
        make(taught_models["bart"], path)


def test_memory_that_does_not_suffice_names_the_setting_to_lower(tmp_path: Path) -> None:
    def exhaust(*_: Any) -> Any:
        return torch.empty(2**60, dtype=torch.uint8)  # more than any machine has

    with pytest.raises(
        UserError,
        match=r"^out of memory; run this again with a lower --tokens-at-once \(now 700\)\.$",
    ):
        generate(exhaust, sources_of("bart"), SMALL_BATCHES, tmp_path / "found.jsonl", key="k", seed=1)


def test_a_signal_ends_decoding_after_the_batch(
    taught_models: dict[str, PreTrainedModel], tmp_path: Path
) -> None:
    sources = sources_of("bart", 12)
    calm = make(taught_models["bart"], tmp_path / "calm" / "dev.jsonl", sources=sources)
    real, calls = hf_decoder(taught_models["bart"], WORDS), [0]

    def decoder(*arguments: Any) -> Any:
        calls[0] += 1
        if calls[0] == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return real(*arguments)

    path = tmp_path / "run" / "dev.jsonl"
    path.parent.mkdir()
    with pytest.raises(Interrupted) as stop:
        generate(decoder, sources, SMALL_BATCHES, path, key="k", seed=1)
    assert calls == [2]
    done = len(candidates.read(path.with_name("dev.0.jsonl")))
    assert 2 < done < 12
    assert stop.value.done == f"after {done} of 12 dialogues of run"
    assert generate(decoder, sources, SMALL_BATCHES, path, key="k", seed=1) == calm
    assert path.read_bytes() == (tmp_path / "calm" / "dev.jsonl").read_bytes()


class Engine:
    """An engine that batches by itself: it notes each call, and fails in the call of number `last`."""

    def __init__(self, last: int = 99) -> None:
        self.calls: list[list[Sequence[int]]] = []
        self.last = last

    def __call__(
        self, sources: Sequence[Sequence[int]], config: DecodingConfig, seed: int
    ) -> list[list[Candidate]]:
        self.calls.append(list(sources))
        if len(self.calls) == self.last:
            raise UserError("failed")
        return [[Candidate(f"{seed} {source[0]} {len(source)}", -1.0, 1)] for source in sources]


LONG = {f"dev_{number}": [number] * (1 + number * 7 % 50) for number in range(50)}


@pytest.mark.parametrize(
    ("processes", "dialogues", "sizes"),
    [
        (1, 512, [50]),
        (1, 20, [17, 17, 16]),
        (2, 512, [25, 25]),
        (4, 10, [7, 7, 6, 6, 6, 6, 6, 6]),
        (64, 512, [1] * 50),
    ],
)
def test_an_engine_that_batches_itself_gets_equal_shares(
    monkeypatch: pytest.MonkeyPatch, processes: int, dialogues: int, sizes: list[int]
) -> None:
    monkeypatch.setenv("WORLD_SIZE", str(processes))
    lengths = [len(source) for source in LONG.values()]
    groups = resumable.groups_for(BatchingDecoder(Engine(), dialogues), lengths, SMALL_BATCHES)
    assert [len(group) for group in groups] == sizes
    assert sorted(index for group in groups for index in group) == list(range(50))
    if processes < 50:  # no process has the long dialogues alone
        means = [sum(lengths[index] for index in group) / len(group) for group in groups]
        assert max(means) - min(means) < 8
    assert resumable.groups_for(BatchingDecoder(Engine(), dialogues), [], SMALL_BATCHES) == []


def test_an_engine_that_batches_itself_resumes_with_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "run" / "dev.jsonl"
    path.parent.mkdir()
    whole = Engine()
    calm = generate(BatchingDecoder(whole, 512), LONG, SMALL_BATCHES, path, key="k", seed=1)
    assert [len(call) for call in whole.calls] == [50]
    assert list(calm) == list(LONG)
    path.unlink()
    with pytest.raises(UserError, match="failed"):
        generate(BatchingDecoder(Engine(last=2), 20), LONG, SMALL_BATCHES, path, key="k", seed=1)
    part = path.with_name("dev.0.jsonl")
    assert len(candidates.read(part)) == 17  # those of the first call
    part.write_bytes(b"".join(part.read_bytes().splitlines(keepends=True)[:-3]))
    again = Engine()
    # The groups of another machine do not change a dialogue's candidates.
    assert generate(BatchingDecoder(again, 30), LONG, SMALL_BATCHES, path, key="k", seed=1) == calm
    assert sum(map(len, again.calls)) == 50 - 14
    assert (
        generate(BatchingDecoder(again, 30), LONG, SMALL_BATCHES, path, key="k", seed=2) == calm
    )  # the key decides
    path.unlink()
    other = generate(BatchingDecoder(again, 30), LONG, SMALL_BATCHES, path, key="k", seed=2)
    assert all(other[name] != calm[name] for name in LONG)


@pytest.mark.parametrize(
    "line", ['[]', '7', 'null', '{"id": "a"}', '{"id": 1, "candidates": []}', '{"id": "a", "candidates": {}}',
             '{"id": "a", "candidates": [1]}', '{"id": "a", "candidates": [{"text": "x", "logprob": null}]}',
             '{"id": "a", "candidates": [{"text": 1, "logprob": null, "tokens": 2}]}',
             '{"id": "a", "candidates": [{"text": "x", "logprob": "y", "tokens": 2}]}'],
)  # fmt: skip
def test_a_line_of_a_wrong_shape_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "dev.jsonl"
    path.write_text(f'{{"id": "b", "candidates": []}}\n{line}\n', encoding="utf-8")
    with pytest.raises(
        UserError,
        match=r"dev\.jsonl:2: (wanted an id and candidates.*run infer again|not valid JSON \(it is no object\); remove that line)\.$",
    ):
        candidates.read(path)


@pytest.mark.parametrize("content", ["[]", "7", "{}", '{"key": 3}'])
def test_a_key_of_a_wrong_shape_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "dev.key.json").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=r"dev\.key\.json: wanted a table with the key of dev\.jsonl"):
        resumable.made_under(tmp_path / "dev.jsonl")


def test_a_changed_character_of_a_line_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "dev.0.jsonl"
    candidates.append(path, "a", [Candidate("비가 온다.", -1.5, 4)])
    assert candidates.read(path) == {"a": [Candidate("비가 온다.", -1.5, 4)]}
    path.write_text(path.read_text(encoding="utf-8").replace("비가", "배가"), encoding="utf-8")
    with pytest.raises(UserError, match=r"dev\.0\.jsonl:1: has changed since it was written"):
        candidates.read(path)
    path.write_text('{"id": "a", "candidates": []}\n', encoding="utf-8")  # written elsewhere, without a check
    assert candidates.read(path) == {"a": []}
