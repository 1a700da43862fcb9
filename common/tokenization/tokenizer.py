"""Tokenization: train a byte-level BPE, build sources that keep whole turns, cache examples, and make batches."""

import hashlib
import json
import random
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import datasets
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from common import prompts
from common.core.errors import UserError
from common.core.files import root, sha256_texts
from common.data import dialogue as data_dialogue
from common.data.dialogue import clean, truncate
from common.data.rows import Row
from common.prompts import Prompt, PromptConfig, shot_index
from common.runs.record import code_hash

IGNORE = -100  # label value that torch's cross-entropy skips
PAD, BOS, EOS = "<pad>", "<s>", "</s>"
MIN_DIALOGUE_TOKENS = 8  # less room than this for the dialogue means that the settings are wrong


@dataclass(frozen=True)
class LengthConfig:
    """Length limits."""

    max_source_tokens: int = 512
    """Most tokens of a source, instruction included; longer dialogues lose whole turns from the middle."""


@dataclass(frozen=True)
class CutReport:
    """Counts of dialogues and turns in one split, and of those that were cut because they did not fit."""

    dialogues: int
    dialogues_cut: int
    turns: int
    turns_cut: int


def train_bpe(texts: Iterable[str], vocab_size: int, tags: Sequence[str]) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer on the texts and return it; every tag is one token that decodes to itself.

    Encoding and decoding preserves any Unicode text. Source: Sennrich et al. 2016, over bytes as in GPT-2.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(tags),
        special_tokens=[PAD, BOS, EOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    # Not as special tokens: skip_special_tokens=True would remove the tags from decoded texts.
    tokenizer.add_tokens([AddedToken(tag, special=False, normalized=False) for tag in tags])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        clean_up_tokenization_spaces=False,
        split_special_tokens=True,  # a "</s>" in a dialogue is text, not the end of the sequence
    )


def load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """Load the tokenizer saved in a folder.

    This does not use AutoTokenizer, which changes the ids of a custom tokenizer next to a `model_type: qwen2` config.
    """
    return PreTrainedTokenizerFast.from_pretrained(folder)


def token_count(tokenizer: PreTrainedTokenizerFast) -> Callable[[str], int]:
    """Return a function that counts the tokens of a text, without special tokens."""
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True))


def texts_of_rows(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the cleaned dialogues and summaries of the rows, as training reads them; for `words_of` arguments."""
    return (clean(text) for row in rows for text in (row.dialogue, *row.summaries))


def tokens_in(tokenizer: PreTrainedTokenizerFast, texts: Iterable[str]) -> set[int]:
    """Return the ids of all tokens that occur in the texts."""
    listed = list(texts)
    return {token for ids in tokenizer(listed).input_ids for token in ids} if listed else set()


@dataclass(frozen=True)
class InputTemplate:
    """The input template: token ids around the dialogue and before the summary, such as special tokens or instructions."""

    before: tuple[int, ...] = ()
    """Token ids before the dialogue."""
    after: tuple[int, ...] = ()
    """Token ids after the dialogue: the end of the source, or the start of a causal model's answer."""
    target_before: tuple[int, ...] = ()
    """Token ids before the summary, such as mBART's language."""
    safe: bool = False
    """Whether the dialogue must be escaped, so that it cannot imitate the template (`prompts.safe`)."""
    shots_dropped: int = 0
    """Number of examples left out so that the whole dialogue fits."""


TemplateOf = Callable[[Row], InputTemplate]
"""Row → its input template; the examples in a few-shot prompt differ from row to row."""


def seq2seq_template(tokenizer: PreTrainedTokenizerFast, language: str | None = None) -> InputTemplate:
    """Return the input template of an encoder-decoder: the tokens that its tokenizer adds around a text.

    When the tokenizer adds none, the template is its start and end token.
    `language`: the language token, such as ko_KR, that a multilingual tokenizer (mBART) needs before source and summary.
    Raises UserError when the tokenizer does not know the language.
    """
    if language is not None:
        if language not in tokenizer.get_vocab():
            raise UserError(
                f"language {language!r} is not a token of {tokenizer.name_or_path!r}; wanted a language token such as "
                "mBART's ko_KR. Change the language or the model."
            )
        language_id = tokenizer.convert_tokens_to_ids(language)
        return InputTemplate((language_id,), (tokenizer.eos_token_id,), (language_id,))
    bare = tokenizer.encode("가", add_special_tokens=False)
    full = tokenizer.encode("가")
    for start in range(len(full) - len(bare) + 1):
        if full[start : start + len(bare)] == bare and len(full) > len(bare):
            return InputTemplate(tuple(full[:start]), tuple(full[start + len(bare) :]))
    begin = () if tokenizer.bos_token_id is None else (tokenizer.bos_token_id,)
    return InputTemplate(begin, (tokenizer.eos_token_id,))


def text_template(tokenizer: PreTrainedTokenizerFast, before: str, after: str) -> InputTemplate:
    """Return a causal model's input template from the texts before and after the dialogue.

    It begins with the start token if the tokenizer adds one. The two texts are encoded separately from the dialogue,
    whose tokens therefore do not depend on them.
    """
    start = tokenizer.encode("", add_special_tokens=True)[:1]
    ids = [tokenizer.encode(text, add_special_tokens=False) for text in (before, after)]
    return InputTemplate((*start, *ids[0]), tuple(ids[1]))


def chat_template(tokenizer: PreTrainedTokenizerFast, prompt: Prompt) -> InputTemplate:
    """Return the input template of an instruct model: what its chat template renders around the prompt's dialogue.

    Raises UserError when the tokenizer has no chat template.
    """
    if not tokenizer.chat_template:
        raise UserError(
            f"{tokenizer.name_or_path!r} has no chat template: it is a base model. Use an instruct model, or train "
            "this one without a chat template as exp010 does."
        )
    rendered = tokenizer.apply_chat_template(prompt.chat(), tokenize=False, add_generation_prompt=True)
    ids = [tokenizer.encode(text, add_special_tokens=False) for text in prompts.split(rendered)]
    return InputTemplate(tuple(ids[0]), tuple(ids[1]), safe=True)


def chat_templates(
    tokenizer: PreTrainedTokenizerFast,
    config: PromptConfig,
    lengths: LengthConfig,
    train: Sequence[Row],
    others: Sequence[Row],
    near_copy: float,
) -> InputTemplate | TemplateOf:
    """Return the input template of the configured prompt; with shots, a function that makes one for each row.

    The examples of a row are chosen from `train`. The least similar ones are dropped until the whole dialogue fits or no
    example is left.
    `others`: the rows of dev and test, which are never used as examples.
    `near_copy`: the competition's similarity from which a row of `train` is too similar to the dialogue to be an example.
    Raises UserError as `prompts.shot_index` does.
    """
    if not config.shots:
        return chat_template(tokenizer, prompts.prompt(config=config))
    index = shot_index(train, forbidden=others, near_copy=near_copy)
    made: dict[Row, InputTemplate] = {}

    def frame(row: Row) -> InputTemplate:
        if row not in made:
            shots = index.select(row, config.shots).shots
            needed = max(MIN_DIALOGUE_TOKENS, token_count(tokenizer)(prompts.safe(row.dialogue)))
            for dropped in range(len(shots) + 1):  # the least similar examples come first
                one = chat_template(tokenizer, prompts.prompt(shots[dropped:], config))
                if needed <= lengths.max_source_tokens - len(one.before) - len(one.after):
                    break
            made[row] = replace(one, shots_dropped=dropped)
        return made[row]

    return frame


def shots_dropped(frame: InputTemplate | TemplateOf, rows: Sequence[Row]) -> dict[str, int]:
    """Return the number of dropped examples (`shots`) and of the dialogues concerned (`dialogues`), for a run's notes."""
    counts = [_frame(frame, row).shots_dropped for row in rows]
    return {"shots": sum(counts), "dialogues": sum(count > 0 for count in counts)}


def source_ids(
    dialogue: str, tokenizer: PreTrainedTokenizerFast, lengths: LengthConfig, frame: InputTemplate
) -> tuple[list[int], int, int]:
    """Return the token ids of a dialogue in its template, the number of turns cut, and the number of turns.

    The ids fit the limit: the dialogue is cut, never the template. Raises UserError when the template alone is too long.
    """
    room = lengths.max_source_tokens - len(frame.before) - len(frame.after)
    if room < MIN_DIALOGUE_TOKENS:
        raise UserError(
            f"instruction and examples take {len(frame.before) + len(frame.after)} tokens, which leaves {room} for the "
            f"dialogue; raise --max-source-tokens (now {lengths.max_source_tokens}) or use fewer examples."
        )
    text = prompts.safe(dialogue) if frame.safe else clean(dialogue)
    cut = truncate(text, room, token_count(tokenizer))
    # A "</s>" in a dialogue is text, not the end of the sequence.
    ids = tokenizer.encode(cut.text, add_special_tokens=False, split_special_tokens=True)
    return [*frame.before, *ids, *frame.after], cut.turns_cut, cut.turns


def sources(
    rows: Sequence[Row],
    tokenizer: PreTrainedTokenizerFast,
    lengths: LengthConfig,
    frame: InputTemplate | TemplateOf,
) -> dict[str, list[int]]:
    """Return the source token ids of every row, by row id, in the order of the rows."""
    return {row.id: source_ids(row.dialogue, tokenizer, lengths, _frame(frame, row))[0] for row in rows}


def _frame(frame: InputTemplate | TemplateOf, row: Row) -> InputTemplate:
    return frame if isinstance(frame, InputTemplate) else frame(row)


def training_examples(
    rows: Sequence[Row],
    tokenizer: PreTrainedTokenizerFast,
    lengths: LengthConfig,
    frame: InputTemplate | TemplateOf,
    cache: Path | None = None,
) -> tuple[datasets.Dataset, CutReport]:
    """Return one example per summary of each row, and a count of what was cut.

    Columns: `id`, `source` and `target` (token ids; the target ends with the end token). A row without a summary gives
    one example with an empty target.
    The memory-mapped result is kept in `cache` (default `.cache/tokenized`) under a hash of the rows, the tokenizer, the
    lengths, the templates, and the code that cleans and cuts.
    """
    cache = cache or root() / ".cache" / "tokenized"
    frames = [_frame(frame, row) for row in rows]
    rows_hash = sha256_texts(part for row in rows for part in (row.id, row.dialogue, *row.summaries))
    frames_hash = sha256_texts(json.dumps(asdict(one)) for one in frames)
    code = [code_hash(Path(file)) for file in (data_dialogue.__file__, __file__)]
    content = [code, rows_hash, tokenizer.backend_tokenizer.to_str(), lengths.max_source_tokens, frames_hash]
    key = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:24]
    folder = cache / key
    if not folder.exists():
        records = []
        for row, row_frame in zip(rows, frames, strict=True):
            source, turns_cut, turns = source_ids(row.dialogue, tokenizer, lengths, row_frame)
            for summary in row.summaries or ("",):
                target = tokenizer.encode(clean(summary), add_special_tokens=False) if summary else []
                target = [*row_frame.target_before, *target, tokenizer.eos_token_id] if summary else []
                records.append(
                    {"id": row.id, "source": source, "target": target, "turns_cut": turns_cut, "turns": turns}
                )
        datasets.disable_progress_bars()
        staging = cache / f".{key}.{random.SystemRandom().getrandbits(32):08x}"
        datasets.Dataset.from_list(records).save_to_disk(staging)
        try:
            staging.rename(folder)
        except OSError:  # another process was faster and wrote the same files
            shutil.rmtree(staging, ignore_errors=True)
    dataset = datasets.load_from_disk(folder)
    cuts = dict(zip(dataset["id"], zip(dataset["turns_cut"], dataset["turns"], strict=True), strict=True))
    report = CutReport(
        dialogues=len(cuts),
        dialogues_cut=sum(cut > 0 for cut, _ in cuts.values()),
        turns=sum(turns for _, turns in cuts.values()),
        turns_cut=sum(cut for cut, _ in cuts.values()),
    )
    return dataset.remove_columns(["turns_cut", "turns"]), report


def padded(sequences: Sequence[Sequence[Any]], value: float, dtype: torch.dtype = torch.long) -> torch.Tensor:
    """Return the sequences as a tensor (len(sequences), longest), padded on the right with `value`.

    `longest` is rounded up to a multiple of 8: tensor cores need that, and a CPU compiles its kernels for fewer shapes.
    """
    width = -(-max(map(len, sequences)) // 8) * 8
    out = torch.full((len(sequences), width), value, dtype=dtype)
    for row, sequence in zip(out, sequences, strict=True):
        row[: len(sequence)] = torch.as_tensor(sequence, dtype=dtype)
    return out


def collate_seq2seq(batch: Sequence[dict[str, Any]], pad: int) -> dict[str, torch.Tensor]:
    """Return `input_ids` and `attention_mask`, (n, source), and `labels`, (n, target), padded with -100."""
    sources = [example["source"] for example in batch]
    return {
        "input_ids": padded(sources, pad),
        "attention_mask": padded([[1] * len(s) for s in sources], 0),
        "labels": padded([example["target"] for example in batch], IGNORE),
    }


def collate_causal(batch: Sequence[dict[str, Any]], pad: int) -> dict[str, torch.Tensor]:
    """Return `input_ids`, `attention_mask` and `labels`, all (n, length), padded on the right.

    `labels` has at each position the next token if that belongs to the summary, -100 elsewhere.
    """
    inputs = [[*example["source"], *example["target"]] for example in batch]
    labels = [[*[IGNORE] * (len(example["source"]) - 1), *example["target"], IGNORE] for example in batch]
    return {
        "input_ids": padded(inputs, pad),
        "attention_mask": padded([[1] * len(ids) for ids in inputs], 0),
        "labels": padded(labels, IGNORE),
    }


def token_budget_batches(lengths: Sequence[int], budget: int, rng: random.Random | None) -> list[list[int]]:
    """Return batches of all indices such that rows times the longest length stays within the budget.

    With `rng`, the rows are shuffled and sorted by length within chunks, and the batches are shuffled, which combines
    little padding with much randomness. Without it, the batches are in descending order of length. A row longer than the
    budget gets its own batch.
    """
    order = list(range(len(lengths)))
    if rng is None:
        chunks = [order]
    else:
        rng.shuffle(order)
        chunks = [order[i : i + 2048] for i in range(0, len(order), 2048)]
    batches: list[list[int]] = []
    for chunk in chunks:
        batch: list[int] = []
        for index in sorted(chunk, key=lambda i: -lengths[i]):
            if batch and lengths[batch[0]] * (len(batch) + 1) > budget:
                batches.append(batch)
                batch = []
            batch.append(index)
        if batch:
            batches.append(batch)
    if rng is not None:
        rng.shuffle(batches)
    return batches


def require_ids(tokenizer: PreTrainedTokenizerFast) -> None:
    """Raise UserError when the tokenizer lacks a padding or end token, which training and decoding need."""
    missing = [name for name in ("pad_token", "eos_token") if getattr(tokenizer, name) is None]
    if missing:
        raise UserError(
            f"tokenizer {tokenizer.name_or_path!r} has no {' and no '.join(missing)}; "
            "set it in its tokenizer_config.json (causal models often reuse eos_token for padding)."
        )
