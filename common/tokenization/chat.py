"""Render a prompt with a model's chat template: without the day of the run, without a thought, and without a traceback."""

import datetime
import logging
from dataclasses import dataclass
from typing import Any

from transformers import PreTrainedTokenizerFast

from common import prompts
from common.core.errors import UserError, first_line
from common.core.messages import brief
from common.prompts import Prompt, PromptConfig
from common.prompts.cleaning import opened_thought

log = logging.getLogger(__name__)

_CLOCK = "strftime_now"  # transformers' function for templates that print the date
_DIRECTIVES = "aAwdbBmyYHIpMSfjUWGuVcxX"


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
    system_role = bool(prompt.system) and not fault and prompt.system in text
    if not system_role:
        text, fault = _render(tokenizer, prompt.without_system())
        if fault:
            raise UserError(
                f"the chat template of {name} cannot render the prompt ({fault}); use another instruct model, or train "
                "this one without a chat template as exp010 does."
            )
    return Rendered(_before_answer(text, prompt.config.thinking), system_role, _CLOCK in _source(tokenizer))


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
    thinking = prompt.config.thinking
    try:
        source = _source(tokenizer)
        text = tokenizer.apply_chat_template(
            prompt.chat(),
            chat_template=_clock(prompt.config.day()) + source if _CLOCK in source else source,
            tokenize=False,
            add_generation_prompt=True,
            # The names in Qwen3, EXAONE 4 and Gemma 4; Granite and DeepSeek; HyperCLOVA X. Templates ignore the others.
            enable_thinking=thinking,
            thinking=thinking,
            skip_reasoning=not thinking,
        )
    except Exception as error:  # a template is a program of the model's author and may raise anything
        return "", first_line(error).rstrip(".")
    return str(text), ""


def _clock(day: datetime.date) -> str:
    """Return a Jinja macro that replaces transformers' clock with one that stands still at the start of a day.

    apply_chat_template hands only plain data to a template, so a function of ours cannot be passed.
    """
    at = datetime.datetime.combine(day, datetime.time())
    values = {f"%{letter}": at.strftime(f"%{letter}") for letter in _DIRECTIVES}
    short = {f"%-{letter}": str(int(at.strftime(f"%{letter}"))) for letter in "dmyHIMSj"}
    replaced = "".join(f" | replace('{key}', '{value}')" for key, value in {**short, **values}.items())
    # The line break belongs to the tag before it (`trim_blocks`), so the template begins at the start of a line as before.
    return f"{{% macro {_CLOCK}(format) %}}{{{{ format{replaced} }}}}{{% endmacro %}}\n"


def _before_answer(text: str, thinking: bool) -> str:
    """Return a rendered prompt that does not end inside a thought."""
    opened = opened_thought(text)
    if not opened:
        return text
    tag = opened.strip()
    return text.removesuffix(opened) if thinking else f"{text.rstrip()}\n\n{tag[0]}/{tag[1:]}\n\n"
