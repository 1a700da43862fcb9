"""Chat prompts from the text files beside this one; the dialogue's place stays open until the caller fills it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from common.dialogue import TAG, clean
from common.errors import UserError
from common.files import sha256_texts, shown
from common.rows import Row

PLACEHOLDER = "[[DIALOGUE]]"
"""Stands where the dialogue belongs. ASCII, so that a chat template that escapes text leaves it alone; `safe` breaks
it in every text that comes from data, so it occurs once in a prompt."""

_FOLDER = Path(__file__).resolve().parent

# What could close our frame, open another, or speak to the model in its own control tokens.
_RESERVED = re.compile(
    r"[\[［【〔]\s*[/／\\＼]?\s*대\s*화\s*[\]］】〕]"
    r"|\[\[\s*dialogue\s*\]\]"
    r"|<\|[^<>|\n]{0,60}\|>|<｜[^<>｜\n]{0,60}｜>"
    r"|</?(?:s|bos|eos|pad|unk|mask|think|tool_call|start_of_turn|end_of_turn|start_of_image)>"
    r"|\[/?\s*(?:inst|system_prompt|available_tools)\s*\]"
    r"|<</?sys>>",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class PromptConfig:
    """How the model is asked."""

    style: str = "summarize"
    """Name of the instruction: a file of common/prompts/styles, see `styles()`."""
    shots: int = 0
    """Solved dialogues of the train split shown before the question; 0 shows none."""
    system_role: bool = True
    """Whether the chat template knows a system message; without one its text opens the first user message."""


@dataclass(frozen=True)
class Message:
    """One message of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True)
class Prompt:
    """A chat that ends in a question whose dialogue is still missing."""

    messages: tuple[Message, ...]
    """The last one is the user's and holds PLACEHOLDER; no other text does."""
    style: str
    sha256: str
    """Of the templates' text (`style_hash`), for the run folder."""
    shot_ids: tuple[str, ...]

    def chat(self, dialogue: str | None = None) -> list[dict[str, str]]:
        """The messages as chat templates and the chat-completions API want them, `{"role": …, "content": …}`.

        The dialogue goes in as `safe` makes it; without one PLACEHOLDER stays, to be cut at by `split`.
        """
        filled = PLACEHOLDER if dialogue is None else safe(dialogue)
        last = len(self.messages) - 1
        return [
            {"role": m.role, "content": filled.join(split(m.content)) if i == last else m.content}
            for i, m in enumerate(self.messages)
        ]

    def plain(self, dialogue: str | None = None) -> str:
        """The chat as one text for a model without a chat template, ending where the summary begins.

        A shot's summary follows "요약:" after one space, as the model's own should; a blank line ends it.
        """
        text = ""
        for message in self.chat(dialogue):
            text += f" {message['content']}\n\n" if message["role"] == "assistant" else message["content"]
            text += "\n\n" if message["role"] == "system" else ""
        return text


def styles() -> tuple[str, ...]:
    """The names of the instructions there are, sorted."""
    return tuple(sorted(path.stem for path in (_FOLDER / "styles").glob("*.txt")))


def style_hash(style: str = "summarize") -> str:
    """Hex sha256 of the style's instruction, the system message and the frame. Raises UserError as `prompt` does."""
    return sha256_texts(_templates(style))


def safe(text: str, reserved: Sequence[str] = ()) -> str:
    """The cleaned text with nothing in it that a model could take for the prompt's own words. Idempotent.

    Broken are the frame's "[대화]" and "[/대화]" in any spelling, PLACEHOLDER, the control tokens of common chat
    templates, and what `reserved` names (say a tokenizer's special tokens; tags are left alone): their brackets
    become round, or a space follows their first character. A text that is cut by turns afterwards stays safe.
    """
    text = clean(text)
    names = [name.strip() for name in reserved if len(name.strip()) > 1 and not TAG.fullmatch(name.strip())]
    while True:
        made = _RESERVED.sub(lambda match: f"({match[0][1:-1]})", text)
        for name in names:
            made = made.replace(name, f"{name[0]} {name[1:]}")
        if made == text:
            return text
        text = made


def prompt(shots: Sequence[Row] = (), config: PromptConfig | None = None) -> Prompt:
    """The prompt of a style, with the shots as turns of the chat in their order: dialogue asked, summary answered.

    A shot shows its first summary. Only the first user message holds the instruction. `config.shots` says how many
    the caller selects; here all that were given are used.
    Raises UserError for an unknown style, a shot without a summary and a template that was damaged.
    """
    config = config or PromptConfig()
    instruction, system, turn = _templates(config.style)
    before, after = split(turn)
    opening = f"{instruction}\n\n" if config.system_role else f"{system}\n\n{instruction}\n\n"
    messages = [Message("system", system)] if config.system_role else []
    for row in shots:
        if not any(summary.strip() for summary in row.summaries):
            raise UserError(
                f'prompt: shot "{row.id}" has no summary; a shot shows dialogue and summary. '
                "Take shots from the train split, with shot_index."
            )
        summary = next(summary for summary in row.summaries if summary.strip())
        messages.append(Message("user", f"{opening}{before}{safe(row.dialogue)}{after}"))
        messages.append(Message("assistant", safe(summary)))
        opening = ""
    messages.append(Message("user", opening + turn))
    return Prompt(
        tuple(messages), config.style, style_hash(config.style), shot_ids=tuple(row.id for row in shots)
    )


def split(rendered: str) -> tuple[str, str]:
    """What stands before and after the dialogue in a rendered prompt: neither is ever cut.

    Raises UserError unless PLACEHOLDER occurs exactly once: a chat template that drops or repeats the question.
    """
    count = rendered.count(PLACEHOLDER)
    if count != 1:
        raise UserError(
            f"prompt: the rendered text holds {PLACEHOLDER} {count} times; wanted once, where the dialogue belongs. "
            "Render Prompt.chat() without a dialogue, with a chat template that shows every message once."
        )
    before, _, after = rendered.partition(PLACEHOLDER)
    return before, after


def _templates(style: str) -> tuple[str, str, str]:
    """Instruction, system message and frame."""
    known = styles()
    if style not in known:
        raise UserError(
            f"prompt: there is no style {style!r}; there are: {', '.join(known)}. "
            f"Choose one, or write {shown(_FOLDER / 'styles')}/NAME.txt."
        )
    styled, system, turn = (_FOLDER / name for name in (f"styles/{style}.txt", "system.txt", "turn.txt"))
    return template(styled, 0), template(system, 0), template(turn, 1)


def template(path: Path, places: int) -> str:
    """The text of a template file that holds PLACEHOLDER so many times. Raises UserError when it does not, or is empty."""
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"{shown(path)}: cannot be read ({error}); restore it: git checkout {shown(path)}"
        ) from None
    if not text or text.count(PLACEHOLDER) != places:
        found = f"holds {PLACEHOLDER} {text.count(PLACEHOLDER)} times" if text else "is empty"
        raise UserError(
            f"{shown(path)}: {found}; wanted text with {PLACEHOLDER} {places} times. Mend it, or: git checkout {shown(path)}"
        )
    return text
