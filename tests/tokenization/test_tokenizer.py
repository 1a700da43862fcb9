"""Texts to ids: nothing is lost on the way there and back, sources fit, batches hold what they must."""

import json
import random
import re
from pathlib import Path

import datasets
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional
from transformers import PreTrainedTokenizerFast

from common.core.errors import UserError
from common.data.dialogue import MARKER, clean, parse, tags
from common.data.rows import Row
from common.tokenization import examples
from common.tokenization.batches import IGNORE, collate_causal, collate_seq2seq, token_budget_batches
from common.tokenization.config import MIN_DIALOGUE_TOKENS, LengthConfig
from common.tokenization.examples import CutReport, source_ids, training_examples
from common.tokenization.layout import InputTemplate, text_template
from common.tokenization.tokenizer import BOS, EOS, PAD, load_tokenizer, require_ids, train_bpe
from tests.support import tiny

WORDS = tiny.tokenizer()
SPECIAL = (PAD, BOS, EOS)
CHARACTERS = st.characters(exclude_categories=["Cs"])  # half a surrogate pair is no text
HANGUL = st.text(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3), max_size=12)
PIECES = st.one_of(
    st.text(CHARACTERS, max_size=12),
    HANGUL,
    st.sampled_from(
        [*tiny.TAGS, *SPECIAL, "#Person1#:", "#Person1# 은", "ㅋㅋㅋ", "\n", " ", "  ", "#", "👩‍👩‍👧"]
    ),
)
TEXTS = st.lists(PIECES, max_size=8).map("".join)
TEMPLATE = InputTemplate(suffix=(WORDS.eos_token_id,))


def encode(text: str) -> list[int]:
    return WORDS.encode(text, add_special_tokens=False)


@settings(max_examples=300)
@given(TEXTS)
def test_any_text_survives_encoding_and_decoding(text: str) -> None:
    ids = encode(text)
    assert WORDS.decode(ids, skip_special_tokens=True) == text
    assert WORDS.batch_decode([ids], skip_special_tokens=True) == [text]


@settings(max_examples=100)
@given(TEXTS, st.sampled_from(["<s>", "</s>", "<pad>", ""]))
def test_words_that_look_like_special_tokens_are_text(text: str, special: str) -> None:
    ids = encode(text + special + text)
    assert not set(ids) & {WORDS.pad_token_id, WORDS.bos_token_id, WORDS.eos_token_id}


NAMES = st.from_regex(r"#[A-Za-z]{1,12}[0-9]{0,3}#", fullmatch=True)


@settings(max_examples=25)
@given(st.lists(NAMES, min_size=1, max_size=6, unique=True), st.data())
def test_any_declared_tags_are_one_token_each_and_survive(names: list[str], data: st.DataObject) -> None:
    words = train_bpe(["안녕하세요 반갑습니다"], 300, names)
    for name in names:
        (one,) = words.encode(name, add_special_tokens=False)
        assert words.decode([one], skip_special_tokens=True) == name
    text = "".join(data.draw(st.lists(st.one_of(st.sampled_from(names), HANGUL), max_size=8)))
    ids = words.encode(text, add_special_tokens=False)
    decoded = words.decode(ids, skip_special_tokens=True)
    assert decoded == text
    assert tags(decoded) == tags(text)


def test_vocabulary_is_no_larger_than_asked_and_covers_every_byte() -> None:
    texts = [row.dialogue for row in tiny.rows(200)] * 3
    assert len(train_bpe(texts, 320, tiny.TAGS)) == 320
    assert len(train_bpe(["가"], 4000, tiny.TAGS)) >= 256 + len(tiny.TAGS) + len(SPECIAL)


def test_a_loaded_tokenizer_gives_the_same_ids(tmp_path: Path) -> None:
    WORDS.save_pretrained(tmp_path)
    # AutoTokenizer gives other ids beside this file.
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "qwen2"}), encoding="utf-8")
    loaded = load_tokenizer(tmp_path)
    odd = ["a</s>b<s>", "  두 칸  ", "#Person1#: 네\n#Person2#:", "#Email#로", "𝄞 é ㅎㅎ\r\t", ""]
    for text in [*odd, *(row.dialogue for row in tiny.rows(20, seed=9))]:
        ids = loaded.encode(text, add_special_tokens=False)
        assert ids == encode(text)
        assert loaded.decode(ids, skip_special_tokens=True) == text
    assert len(loaded) == len(WORDS)
    for name in ("pad_token_id", "bos_token_id", "eos_token_id"):
        assert getattr(loaded, name) == getattr(WORDS, name)
    require_ids(loaded)


def test_a_tokenizer_without_padding_or_end_is_refused() -> None:
    bare = PreTrainedTokenizerFast(tokenizer_object=WORDS.backend_tokenizer, name_or_path="bare")
    with pytest.raises(UserError, match="no pad_token and no eos_token"):
        require_ids(bare)


TURNS = st.lists(
    st.tuples(st.sampled_from(tiny.TAGS[:3]), st.lists(st.sampled_from(["네", "좋아요.", "#PhoneNumber#로", "3.5"]),
                                                      min_size=1, max_size=8)), min_size=1, max_size=12)  # fmt: skip
DIALOGUES = TURNS.map(lambda turns: "\n".join(f"{speaker}: {' '.join(said)}" for speaker, said in turns))


@settings(max_examples=200)
@given(st.one_of(DIALOGUES, TEXTS), st.integers(1, 120), st.integers(0, 3), st.integers(0, 4))
def test_a_source_fits_and_keeps_its_frame_and_its_tags(
    text: str, limit: int, before: int, after: int
) -> None:
    template = InputTemplate((WORDS.eos_token_id,) * before, (WORDS.bos_token_id,) * after)
    try:
        ids, cut, turns = source_ids(text, WORDS, LengthConfig(limit), template)
    except UserError as error:
        room = limit - before - after
        assert room < MIN_DIALOGUE_TOKENS or "Raise the maximum source length to" in str(error)
        return
    assert len(ids) <= limit
    assert (tuple(ids[:before]), tuple(ids[len(ids) - after :])) == (template.prefix, template.suffix)
    kept = WORDS.decode(ids[before : len(ids) - after], skip_special_tokens=True)
    assert kept.count("#Person1#") <= clean(text).count("#Person1#")
    assert 0 <= cut <= turns
    assert (MARKER in kept) >= (cut > 0)
    if not cut:
        assert len(ids) == len(encode(kept)) + before + after


def test_the_last_turn_stays_when_the_middle_goes() -> None:
    lines = [f"#Person{1 + i % 2}#: {i}번째로 하는 말입니다." for i in range(40)]
    ids, cut, turns = source_ids("\n".join(lines), WORDS, LengthConfig(100), TEMPLATE)
    kept = WORDS.decode(ids[:-1]).split("\n")
    assert (kept[0], kept[-1], turns) == (lines[0], lines[-1], 40)
    assert kept.count(MARKER) == 1
    assert set(kept) - {MARKER} <= set(lines)
    assert cut == 40 - (len(kept) - 1)
    assert examples.sources([Row("a", "\n".join(lines), (), "")], WORDS, LengthConfig(100), TEMPLATE) == {
        "a": ids
    }


def test_only_the_dialogue_is_cut_and_a_frame_that_leaves_no_room_is_refused() -> None:
    lines = [f"#Person{1 + i % 2}#: {i}번째로 하는 말입니다." for i in range(40)]
    template = text_template(WORDS, "다음 대화를 요약하세요.\n", "\n요약: ")
    ids, cut, turns = source_ids("\n".join(lines), WORDS, LengthConfig(160), template)
    assert (len(ids) <= 160, cut > 0, turns) == (True, True, 40)
    assert tuple(ids[: len(template.prefix)]) == template.prefix
    assert tuple(ids[-len(template.suffix) :]) == template.suffix
    kept = WORDS.decode(ids[len(template.prefix) : -len(template.suffix)]).split("\n")
    assert set(kept) - {MARKER} <= set(lines)  # by whole turns
    around = len(template.prefix) + len(template.suffix)
    with pytest.raises(
        UserError, match=rf"take {around} tokens, which leaves 7 .*--max-source-tokens \(now {around + 7}\)"
    ):
        source_ids("#Person1#: 네", WORDS, LengthConfig(around + 7), template)


def test_frames_may_differ_from_row_to_row(tmp_path: Path) -> None:
    rows = tiny.rows(4)
    own = {row.id: InputTemplate((5 + n,) * n, (9,), (20 + n,)) for n, row in enumerate(rows)}
    found, _ = training_examples(rows, WORDS, LengthConfig(120), lambda row: own[row.id], tmp_path)
    for row, source, target in zip(rows, found["source"], found["target"], strict=True):
        template = own[row.id]
        assert source == [*template.prefix, *encode(row.dialogue), *template.suffix]
        assert target == [*template.target_prefix, *encode(row.summaries[0]), WORDS.eos_token_id]
    inputs = examples.sources(rows, WORDS, LengthConfig(120), lambda row: own[row.id])
    assert list(inputs.values()) == found["source"]


def test_examples_hold_every_summary_and_count_what_was_cut(tmp_path: Path) -> None:
    short = Row("short", "#Person1#: 네\n#Person2#: 좋아요.", ("첫째 요약", "둘째 #Person1# 요약"), "")
    lines = [f"#Person{1 + i % 2}#: {i}번째로 하는 말입니다." for i in range(20)]
    long = Row("long", "\n".join(lines), ("긴 요약",), "")
    silent = Row("silent", "#Person1#: 여보세요?", (), "")
    found, report = training_examples([short, long, silent], WORDS, LengthConfig(80), TEMPLATE, tmp_path)
    assert found["id"] == ["short", "short", "long", "silent"]
    assert sorted(found.column_names) == ["id", "source", "target"]
    assert found["source"][0] == [*encode(short.dialogue), *TEMPLATE.suffix] == found["source"][1]
    assert len(found["source"][2]) <= 80
    assert found["target"][:3] == [
        [*encode(text), WORDS.eos_token_id] for text in ("첫째 요약", "둘째 #Person1# 요약", "긴 요약")
    ]
    assert found["target"][3] == []
    kept = parse(WORDS.decode(found["source"][2][:-1]))
    gone = 20 - (len(kept) - 1)
    assert report == CutReport(dialogues=3, dialogues_cut=1, turns=2 + 20 + 1, turns_cut=gone)


def test_examples_are_cached_until_something_that_decides_them_changes(tmp_path: Path) -> None:
    rows = tiny.rows(5)
    first, report = training_examples(rows, WORDS, LengthConfig(64), TEMPLATE, tmp_path)
    (folder,) = tmp_path.iterdir()
    # Put another content under the same key: whoever reads the cache finds it.
    marked = datasets.load_from_disk(folder).map(lambda _: {"target": [1, 2, 3]})
    marked.save_to_disk(tmp_path / "marked")
    folder.rename(tmp_path / "aside")
    (tmp_path / "marked").rename(folder)
    again, same_report = training_examples(rows, WORDS, LengthConfig(64), TEMPLATE, tmp_path)
    assert again["target"] == [[1, 2, 3]] * 5
    assert same_report == report

    others = [Row("train_0", rows[0].dialogue, ("다른 요약",), ""), *rows[1:]]
    asked = {
        "rows": training_examples(others, WORDS, LengthConfig(64), TEMPLATE, tmp_path),
        "order": training_examples(rows[::-1], WORDS, LengthConfig(64), TEMPLATE, tmp_path),
        "tokenizer": training_examples(rows, tiny.tokenizer(330), LengthConfig(64), TEMPLATE, tmp_path),
        "length": training_examples(rows, WORDS, LengthConfig(63), TEMPLATE, tmp_path),
        "template": training_examples(
            rows, WORDS, LengthConfig(64), InputTemplate(suffix=(WORDS.bos_token_id,)), tmp_path
        ),
    }
    for name, (found, _) in asked.items():
        assert [1, 2, 3] not in found["target"], name
    keys = [path.name for path in tmp_path.iterdir() if re.fullmatch(r"[0-9a-f]{24}", path.name)]
    assert len(keys) == 1 + len(asked)
    assert first["target"] != again["target"]
    assert not list(tmp_path.glob(".*"))


LENGTHS = st.lists(st.integers(1, 300), max_size=200)


@settings(max_examples=200)
@given(LENGTHS, st.integers(1, 2000), st.one_of(st.none(), st.integers(0, 5)))
def test_batches_hold_every_index_once_within_the_budget(
    lengths: list[int], budget: int, seed: int | None
) -> None:
    def batches() -> list[list[int]]:
        rng = None if seed is None else random.Random(seed)
        return token_budget_batches(lengths, budget, rng)

    found = batches()
    assert sorted(index for batch in found for index in batch) == list(range(len(lengths)))
    for batch in found:
        assert batch
        assert len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= budget
    assert batches() == found
    if seed is None:
        flat = [lengths[index] for batch in found for index in batch]
        assert flat == sorted(lengths, reverse=True)


def test_another_seed_shuffles_otherwise() -> None:
    lengths = [random.Random(i).randint(5, 50) for i in range(300)]
    one, two = (token_budget_batches(lengths, 400, random.Random(seed)) for seed in (1, 2))
    assert one != two
    assert {tuple(sorted(batch)) for batch in one} != {tuple(sorted(batch)) for batch in two}
    # Bucketed by length: little padding.
    assert sum(len(b) * max(lengths[i] for i in b) for b in one) < 1.1 * sum(lengths)


IDS = st.integers(3, 100)
PAIRS = st.lists(
    st.tuples(st.lists(IDS, min_size=1, max_size=20), st.lists(IDS, min_size=1, max_size=12)),
    min_size=1,
    max_size=6,
)


@settings(max_examples=100)
@given(PAIRS)
def test_seq2seq_batches_pad_sources_and_labels(pairs: list[tuple[list[int], list[int]]]) -> None:
    batch = collate_seq2seq([tiny.example(s, t) for s, t in pairs], pad=0)
    assert set(batch) == {"input_ids", "attention_mask", "labels"}
    assert batch["input_ids"].shape == batch["attention_mask"].shape
    for row, (source, target) in enumerate(pairs):
        assert batch["input_ids"][row][batch["attention_mask"][row] == 1].tolist() == source
        assert batch["attention_mask"][row].tolist() == sorted(
            batch["attention_mask"][row].tolist(), reverse=True
        )
        assert batch["input_ids"][row, len(source) :].eq(0).all()
        assert batch["labels"][row, : len(target)].tolist() == target
        assert batch["labels"][row, len(target) :].eq(IGNORE).all()


@settings(max_examples=100)
@given(PAIRS)
def test_causal_labels_are_those_of_a_plain_shift(
    pairs: list[tuple[list[int], list[int]]],
) -> None:
    batch = collate_causal([tiny.example(s, t) for s, t in pairs], pad=0)
    width = batch["input_ids"].shape[1]
    plain = torch.full(
        (len(pairs), width), IGNORE
    )  # label of a position: its own token, as HF models want it
    for row, (source, target) in enumerate(pairs):
        assert batch["input_ids"][row][batch["attention_mask"][row] == 1].tolist() == [*source, *target]
        plain[row, len(source) : len(source) + len(target)] = torch.tensor(target)
    shifted = functional.pad(plain, (0, 1), value=IGNORE)[:, 1:]
    assert torch.equal(batch["labels"], shifted)
