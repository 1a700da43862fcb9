"""Make input templates: the token ids before and after a dialogue, and those before its summary."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from transformers import PreTrainedTokenizerFast

from common import prompts
from common.data.rows import Row
from common.prompts import Prompt, PromptConfig, shot_index
from common.tokenization import chat
from common.tokenization.config import MIN_DIALOGUE_TOKENS, LengthConfig, unknown_language
from common.tokenization.tokenizer import token_count


@dataclass(frozen=True)
class InputTemplate:
    """Token ids around the dialogue and before the summary, such as special tokens or instructions."""

    prefix: tuple[int, ...] = ()
    """Token ids before the dialogue."""
    suffix: tuple[int, ...] = ()
    """Token ids after the dialogue: the end of the source, or the start of a causal model's answer."""
    target_prefix: tuple[int, ...] = ()
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
            raise unknown_language(language, tokenizer.name_or_path)
        language_id = tokenizer.convert_tokens_to_ids(language)
        return InputTemplate((language_id,), (tokenizer.eos_token_id,), (language_id,))
    before, after = _around_a_text(tokenizer)
    if before or after:
        return InputTemplate(before, after)
    begin = () if tokenizer.bos_token_id is None else (tokenizer.bos_token_id,)
    return InputTemplate(begin, (tokenizer.eos_token_id,))


def _around_a_text(tokenizer: PreTrainedTokenizerFast) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the token ids that the tokenizer adds before and after a text."""
    bare = tokenizer.encode("가", add_special_tokens=False)
    full = tokenizer.encode("가")
    for start in range(len(full) - len(bare) + 1):
        if full[start : start + len(bare)] == bare:
            return tuple(full[:start]), tuple(full[start + len(bare) :])
    return (), ()


def text_template(tokenizer: PreTrainedTokenizerFast, prefix: str, suffix: str) -> InputTemplate:
    """Return a causal model's input template from the texts before and after the dialogue.

    It begins with the start token if the tokenizer adds one; an end token that it adds is left out. The two texts are encoded separately from the dialogue,
    whose tokens therefore do not depend on them.
    """
    start, _ = _around_a_text(tokenizer)
    ids = [tokenizer.encode(text, add_special_tokens=False) for text in (prefix, suffix)]
    return InputTemplate((*start, *ids[0]), tuple(ids[1]))


def chat_template(tokenizer: PreTrainedTokenizerFast, prompt: Prompt) -> InputTemplate:
    """Return the input template of an instruct model: what its chat template renders around the prompt's dialogue.

    Raises UserError as `chat.render` does.
    """
    ids = [
        tokenizer.encode(text, add_special_tokens=False)
        for text in prompts.split(chat.render(tokenizer, prompt).text)
    ]
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

    def template(row: Row) -> InputTemplate:
        if row not in made:
            shots = index.select(row, config.shots).shots
            needed = max(MIN_DIALOGUE_TOKENS, token_count(tokenizer)(prompts.safe(row.dialogue)))
            for dropped in range(len(shots) + 1):  # the least similar examples come first
                one = chat_template(tokenizer, prompts.prompt(shots[dropped:], config))
                if needed <= lengths.max_source_tokens - len(one.prefix) - len(one.suffix):
                    break
            made[row] = replace(one, shots_dropped=dropped)
        return made[row]

    return template


def shots_dropped(template: InputTemplate | TemplateOf, rows: Sequence[Row]) -> dict[str, int]:
    """Return the number of dropped examples (`shots`) and of the dialogues concerned (`dialogues`), for a run's notes."""
    counts = [template_of(template, row).shots_dropped for row in rows]
    return {"shots": sum(counts), "dialogues": sum(count > 0 for count in counts)}


def template_of(template: InputTemplate | TemplateOf, row: Row) -> InputTemplate:
    """Return the input template of a row: the one that all rows share, or the row's own."""
    return template if isinstance(template, InputTemplate) else template(row)
