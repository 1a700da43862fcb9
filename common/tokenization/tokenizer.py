"""Train and load tokenizers, count tokens, and find the tokens of given texts."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from common.core.errors import UserError
from common.core.messages import brief
from common.core.progress import waiting
from common.data.dialogue import clean
from common.data.rows import Row

PAD, BOS, EOS = "<pad>", "<s>", "</s>"


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
    with waiting(f"learn a vocabulary of {vocab_size} tokens"):
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
    """Yield the cleaned dialogues and summaries of the rows, as training reads them; for `vocabulary_texts` arguments."""
    return (clean(text) for row in rows for text in (row.dialogue, *row.summaries))


def tokens_in(tokenizer: PreTrainedTokenizerFast, texts: Iterable[str]) -> set[int]:
    """Return the ids of all tokens that occur in the texts."""
    listed = list(texts)
    return {token for ids in tokenizer(listed).input_ids for token in ids} if listed else set()


def require_ids(tokenizer: PreTrainedTokenizerFast) -> None:
    """Raise UserError when the tokenizer lacks a padding or end token, which training and decoding need."""
    missing = [name for name in ("pad_token", "eos_token") if getattr(tokenizer, name) is None]
    if missing:
        raise UserError(
            f"tokenizer {brief(tokenizer.name_or_path)} has no {' and no '.join(missing)}; "
            "set it in its tokenizer_config.json (causal models often reuse eos_token for padding)."
        )
