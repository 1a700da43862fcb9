"""Render a prompt with a model's chat template: without the day of the run, without a thought, and without a traceback."""

import datetime
import json
import logging
import re
from dataclasses import dataclass
from string import ascii_letters
from typing import Any

from transformers import PreTrainedTokenizerFast

from common import prompts
from common.core.errors import UserError, first_line
from common.core.messages import brief
from common.prompts import PLACEHOLDER, Prompt, PromptConfig
from common.prompts.cleaning import HARMONY_ANSWER, HARMONY_TURN, opened_thought

log = logging.getLogger(__name__)

_CLOCK = "strftime_now"  # transformers' function for templates that print the date
_HARMONY_CHANNEL = "<|channel|>"
_DIRECTIVE = re.compile(r"%[-_0^#]*[EO]?[A-Za-z]")
_EFFORTS = ("none", "minimal", "low")
"""Values of `reasoning_effort` that mean least thinking, least first; a template may refuse those that it does not name."""


@dataclass(frozen=True)
class Rendered:
    """A rendered prompt."""

    text: str
    """The text, with PLACEHOLDER in place of the dialogue, up to where the answer starts."""
    system_role: bool
    """Whether the text has a system message of ours."""
    dated: bool
    """Whether the chat template can print a date."""


def render(tokenizer: PreTrainedTokenizerFast, prompt: Prompt) -> Rendered:
    """Return the prompt as the tokenizer's chat template renders it, up to where the answer starts.

    With `system_role` auto, the system message's text starts the first user message if the template refuses or drops a
    system message. A template that prints today's date gets that of the prompt's config.
    Without `thinking`, a thought that the template has begun is ended. With it, the tag that begins one is left to the
    model, so that a thought that never ends can be told from an answer.
    Raises UserError when the tokenizer has no chat template, or when the template cannot render the prompt.
    """
    name = brief(tokenizer.name_or_path)
    if not tokenizer.chat_template:
        raise UserError(
            f"{name} has no chat template: it is a base model. Use an instruct model, or train "
            "this one without a chat template as exp010 does."
        )
    fixed = prompt.config.system_role == "true"
    text = fault = ""
    if prompt.system:
        text, fault = _render(tokenizer, prompt)
        if fault and fixed:
            raise UserError(
                f"the chat template of {name} refuses the system message ({fault}); use --system-role auto or another model."
            )
        if fixed and prompt.system not in text:
            raise UserError(
                f"the chat template of {name} leaves the system message out; use --system-role auto or another model."
            )
    system_role = bool(prompt.system) and not fault and prompt.system in text and PLACEHOLDER in text
    if not (system_role or (fixed and text)):
        text, fault = _render(tokenizer, prompt.without_system())
        if fault:
            raise UserError(
                f"the chat template of {name} cannot render the prompt ({fault}); use another instruct model, or train "
                "this one without a chat template as exp010 does."
            )
    if text.count(PLACEHOLDER) != 1:
        raise UserError(
            f"the chat template of {name} prints the dialogue {text.count(PLACEHOLDER)} times, wanted once; use another "
            "instruct model, or train this one without a chat template as exp010 does."
        )
    source = _source(tokenizer)
    return Rendered(_before_answer(text, source, prompt.config.thinking), system_role, _CLOCK in source)


def notes(tokenizer: PreTrainedTokenizerFast, config: PromptConfig) -> dict[str, Any]:
    """Return how prompts are rendered, for a run's notes; log it when the model's template has no system role.

    Keys: `system_role`; `date`, only if the template can print one.
    Raises UserError as `render` does.
    """
    rendered = render(tokenizer, prompts.prompt(config=config))
    if config.system_role == "auto" and not rendered.system_role:
        log.info(
            "the chat template of %s has no system message; its text starts the first user message instead.",
            brief(tokenizer.name_or_path),
        )
    found: dict[str, Any] = {"system_role": rendered.system_role}
    return found | ({"date": config.date} if rendered.dated else {})


def _source(tokenizer: PreTrainedTokenizerFast) -> str:
    """Return the text of the chat template; raises what transformers raises when several have no default."""
    return str(tokenizer.get_chat_template())


def _render(tokenizer: PreTrainedTokenizerFast, prompt: Prompt) -> tuple[str, str]:
    """Return the rendered text and "", or "" and the fault."""
    messages: list[dict[str, Any]] = [*prompt.chat()]
    text, fault = _rendered(tokenizer, messages, prompt.config)
    if PLACEHOLDER not in text:
        # Templates of some multimodal models only read messages that are lists of parts.
        parts = [{**m, "content": [{"type": "text", "text": m["content"]}]} for m in messages]
        other, _ = _rendered(tokenizer, parts, prompt.config)
        if PLACEHOLDER in other and "'type'" not in other and '"type"' not in other:
            return other, ""
    return text, fault


def _rendered(
    tokenizer: PreTrainedTokenizerFast, messages: list[dict[str, Any]], config: PromptConfig
) -> tuple[str, str]:
    """Return the messages as the template renders them and "", or "" and the fault."""
    try:
        source = _source(tokenizer)
        text = tokenizer.apply_chat_template(
            messages,
            chat_template=_clock(config.day(), source) + source if _CLOCK in source else source,
            tokenize=False,
            add_generation_prompt=True,
            **_thinking(source, config.thinking),
        )
    except Exception as error:  # a template is a program of the model's author and may raise anything
        return "", first_line(error).rstrip(".")
    return str(text), ""


def _thinking(source: str, wanted: bool) -> dict[str, Any]:
    """Return the variables that switch thinking in a chat template; templates ignore the names that they do not use."""
    # Qwen3, EXAONE 4 and Gemma 4; Granite and DeepSeek; HyperCLOVA X.
    found: dict[str, Any] = {"enable_thinking": wanted, "thinking": wanted, "skip_reasoning": not wanted}
    if wanted:
        return found
    if "thinking_budget" in source:  # Seed-OSS
        found["thinking_budget"] = 0
    if "reasoning_effort" in source:  # Solar Open, Mistral
        named = [value for value in _EFFORTS if re.search(rf"""['"]{value}['"]""", source)]
        if _HARMONY_CHANNEL in source:  # gpt-oss names only its default, and knows low
            named = named or ["low"]
        found |= {"reasoning_effort": named[0]} if named else {}
    return found


def _clock(day: datetime.date, source: str) -> str:
    """Return a Jinja macro that replaces transformers' clock with one that stands still at the start of a day.

    apply_chat_template hands only plain data to a template, so a function of ours cannot be passed.
    """
    at = datetime.datetime.combine(day, datetime.time())
    values = {}
    # A format that the template puts together from pieces has simple directives.
    for directive in {*_DIRECTIVE.findall(source), *(f"%{letter}" for letter in ascii_letters)}:
        try:
            values[directive] = at.strftime(directive)
        except ValueError:  # not known to this operating system
            continue
    changed = sorted((d for d, value in values.items() if value != d), key=lambda d: (-len(d), d))
    pairs = [("%%", "\0"), *((directive, values[directive]) for directive in changed), ("\0", "%")]
    replaced = "".join(f" | replace({json.dumps(key)}, {json.dumps(value)})" for key, value in pairs)
    # The line break belongs to the tag before it (`trim_blocks`), so the template begins at the start of a line as before.
    return f"{{% macro {_CLOCK}(format) %}}{{{{ format{replaced} }}}}{{% endmacro %}}\n"


def _before_answer(text: str, source: str, thinking: bool) -> str:
    """Return a rendered prompt that does not end inside a thought; `source`: the chat template."""
    place = text.index(PLACEHOLDER)
    opened, end = opened_thought(text[place:])
    if not opened:
        # After the bare begin of a turn, a model of the harmony format thinks; no variable of its template stops that.
        answers = not thinking and _HARMONY_CHANNEL in source and text.endswith(HARMONY_TURN)
        return text + HARMONY_ANSWER if answers else text
    if thinking:
        return text.removesuffix(opened)
    # Only tags that look like XML stand on lines of their own.
    return (
        f"{text}{end}"
        if end.startswith("<|") or end.endswith("|>") or "unused" in end
        else f"{text.rstrip()}\n\n{end}\n\n"
    )
