"""Make chat prompts from the text files of this folder, with a placeholder for the dialogue."""

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, Le, Len

from common.core.errors import UserError
from common.core.files import read_regular, sha256_texts, shown
from common.core.messages import brief
from common.core.ranges import Text
from common.data.dialogue import TAG, clean
from common.data.rows import Row

PLACEHOLDER = "[[DIALOGUE]]"
"""Marks the position of the dialogue. It is ASCII, so that chat templates that escape text do not change it. `safe` breaks
it in every text that comes from data, so it occurs exactly once in a prompt."""

_FOLDER = Path(__file__).resolve().parent

# Text that could close the [대화] block, open another one, or pass for a control token of the model.
_RESERVED = re.compile(
    r"[\[［【〔]\s*[/／\\＼]?\s*대\s*화\s*[\]］】〕]"
    r"|\[\[\s*dialogue\s*\]\]"
    r"|<\|[^<>|\n]{0,60}\|>|<｜[^<>｜\n]{0,60}｜>"
    r"|</?(?:s|bos|eos|pad|unk|mask|think|tool_call|start_of_turn|end_of_turn|start_of_image)>"
    r"|\[/?\s*(?:inst|system_prompt|available_tools)\s*\]"
    r"|<</?sys>>",
    re.IGNORECASE,
)


Styles = Annotated[tuple[Text, ...], Len(1, 20)]
"""Names of several styles."""


@dataclass(frozen=True)
class PromptConfig:
    """Settings of a prompt."""

    style: str = "summarize"
    """Name of the instruction: a file in common/prompts/styles, see `styles()`."""
    shots: Annotated[int, Ge(0), Le(100)] = 0
    """Number of solved dialogues of the train split before the question."""
    system_role: Literal["auto", "true", "false"] = "auto"
    """Whether there is a system message; if not, its text starts the first user message. auto: unless the model's chat
    template refuses it or leaves it out; an API gets one."""
    thinking: bool = False
    """Whether a local model may think before it answers, if its chat template can switch that; thoughts count in
    --max-new-tokens and are removed."""
    date: str = "2024-07-26"
    """Date, as YYYY-MM-DD, that a local model's chat template prints as today's, so that the same checkpoint gives the
    same answers on another day."""

    def require_consistent(self) -> None:
        """Raise UserError for a style that does not exist, and for an invalid date."""
        require_styles([self.style])
        self.day()

    def day(self) -> datetime.date:
        """Return the date. Raises UserError when it is invalid."""
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", self.date):
            try:
                return datetime.date.fromisoformat(self.date)
            except ValueError:
                pass
        raise UserError(
            f"--date: found {brief(self.date)}, wanted a date as YYYY-MM-DD, such as 2024-07-26. Change it or leave it out."
        )


@dataclass(frozen=True)
class Message:
    """One message of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True)
class Prompt:
    """A chat that ends in a question with a placeholder for its dialogue."""

    messages: tuple[Message, ...]
    """The last message is the user's and contains PLACEHOLDER; no other message does."""
    config: PromptConfig
    sha256: str
    """Hash of the templates' text (`style_hash`), for the run folder."""
    shot_ids: tuple[str, ...]

    @property
    def system(self) -> str:
        """The text of the system message; "" when there is none."""
        return self.messages[0].content if self.messages[0].role == "system" else ""

    def without_system(self) -> "Prompt":
        """Return the prompt without a system message: its text starts the first user message."""
        if not self.system:
            return self
        first = Message("user", f"{self.system}\n\n{self.messages[1].content}")
        return replace(self, messages=(first, *self.messages[2:]))

    def chat(self, dialogue: str | None = None) -> list[dict[str, str]]:
        """Return the messages in the chat-completions format, `{"role": …, "content": …}`.

        The dialogue is inserted after `safe`; without a dialogue PLACEHOLDER stays, for `split`.
        """
        filled = PLACEHOLDER if dialogue is None else safe(dialogue)
        last = len(self.messages) - 1
        return [
            {"role": m.role, "content": filled.join(split(m.content)) if i == last else m.content}
            for i, m in enumerate(self.messages)
        ]

    def plain(self, dialogue: str | None = None) -> str:
        """Return the chat as one text, for a model without a chat template; it ends where the summary starts.

        The summary of a shot follows "요약:" and a space, and ends with a blank line.
        """
        text = ""
        for message in self.chat(dialogue):
            text += f" {message['content']}\n\n" if message["role"] == "assistant" else message["content"]
            text += "\n\n" if message["role"] == "system" else ""
        return text


def styles() -> tuple[str, ...]:
    """Return the names of all styles, sorted."""
    return tuple(sorted(path.stem for path in (_FOLDER / "styles").glob("*.txt")))


def require_styles(names: Sequence[str]) -> None:
    """Raise UserError for a style that does not exist, and for one that is named twice."""
    known = styles()
    for style in names:
        if style not in known:
            raise UserError(
                f"prompt: there is no style {brief(style, 40)}; the styles are {', '.join(known)}. "
                f"Choose one, or create {shown(_FOLDER / 'styles')}/NAME.txt."
            )
        if names.count(style) > 1:
            raise UserError(f"prompt: the style {style} is named twice; name it once.")


def require_only_styles(config: PromptConfig, styles: Sequence[str]) -> None:
    """Raise UserError as `require_styles` does, and for a --style, which a recipe whose prompts are `styles` does not use."""
    require_styles(styles)
    if config.style != PromptConfig.style:
        raise UserError(
            f"--style {brief(config.style, 40)}: this recipe takes its prompts from --styles; use --styles {config.style} instead."
        )


def style_hash(style: str = "summarize") -> str:
    """Return the hex sha256 of the style's instruction, the system message and the question's template.

    Raises UserError as `prompt` does.
    """
    return sha256_texts(_templates(style))


def safe(text: str, reserved: Sequence[str] = ()) -> str:
    """Return the cleaned text without anything that a model could mistake for a part of the prompt. Idempotent.

    These are broken: "[대화]" and "[/대화]" in any spelling, PLACEHOLDER and the control tokens of common chat templates
    (their brackets become round), and the strings in `reserved`, such as a tokenizer's special tokens (a space follows
    their first character; tags are not changed). The text stays safe if whole turns are cut off afterwards.
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
    """Return the prompt of a style; each shot is a user message with its dialogue and an answer with its first summary.

    Only the first user message contains the instruction. All given shots are used, whatever `config.shots` is.
    Raises UserError for an unknown style, a shot without a summary and a damaged template.
    """
    config = config or PromptConfig()
    instruction, system, turn = _templates(config.style)
    before, after = split(turn)
    opening = f"{instruction}\n\n"
    messages = [Message("system", system)]
    for row in shots:
        if not any(summary.strip() for summary in row.summaries):
            raise UserError(
                f'prompt: shot "{row.id}" has no summary; a shot needs a dialogue and a summary. '  # nosec B608: a message
                "Select shots from the train split with shot_index."
            )
        summary = next(summary for summary in row.summaries if summary.strip())
        messages.append(Message("user", f"{opening}{before}{safe(row.dialogue)}{after}"))
        messages.append(Message("assistant", safe(summary)))
        opening = ""
    messages.append(Message("user", opening + turn))
    made = Prompt(tuple(messages), config, style_hash(config.style), shot_ids=tuple(row.id for row in shots))
    return made.without_system() if config.system_role == "false" else made


def split(rendered: str) -> tuple[str, str]:
    """Return the texts before and after the dialogue in a rendered prompt.

    Raises UserError unless PLACEHOLDER occurs exactly once; a chat template may drop or repeat the question.
    """
    count = rendered.count(PLACEHOLDER)
    if count != 1:
        raise UserError(
            f"prompt: the rendered text contains {PLACEHOLDER} {count} times; wanted once, in place of the dialogue. "
            "Render Prompt.chat() without a dialogue, with a chat template that shows every message once."
        )
    before, _, after = rendered.partition(PLACEHOLDER)
    return before, after


def _templates(style: str) -> tuple[str, str, str]:
    """Return the instruction, the system message (the style's own or else system.txt) and the template of the question."""
    require_styles([style])
    own = _FOLDER / "systems" / f"{style}.txt"
    system = own if own.exists() else _FOLDER / "system.txt"
    return (
        template(_FOLDER / "styles" / f"{style}.txt", 0),
        template(system, 0),
        template(_FOLDER / "turn.txt", 1),
    )


def template(path: Path, places: int) -> str:
    """Return the text of a template file.

    Raises UserError if the file cannot be read, is empty, or does not contain PLACEHOLDER exactly `places` times.
    """
    try:
        text = read_regular(path, 1 << 20).decode("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(
            f"{shown(path)}: cannot be read ({reason}); restore it: git checkout {shown(path)}"
        ) from None
    if not text or text.count(PLACEHOLDER) != places:
        found = f"contains {PLACEHOLDER} {text.count(PLACEHOLDER)} times" if text else "is empty"
        raise UserError(
            f"{shown(path)}: {found}; wanted text with {PLACEHOLDER} {places} times. Fix it, or restore it: git checkout {shown(path)}"
        )
    return text
