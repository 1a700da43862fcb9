"""Chat templates: no system role, thoughts, dates and templates that fail."""

import datetime
import logging
from collections.abc import Sequence
from typing import Any

import pytest
from transformers.utils import chat_template_utils

from common import prompts
from common.core.errors import UserError
from common.models.config import PretrainedConfig
from common.models.pretrained import load_pretrained
from common.prompts import PLACEHOLDER, PromptConfig
from common.tokenization import chat
from common.tokenization.layout import chat_template
from common.tokenization.tokenizer import PreTrainedTokenizerFast
from tests.support.shots import ROWS

TURNS = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] | trim }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
REFUSES = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    + TURNS
)
DROPS = TURNS.replace(
    "for message in messages %}", "for message in messages if message['role'] != 'system' %}"
)
OFF = "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}"  # Qwen3's way
ALWAYS = TURNS + "<think>\n"
DATED = "Today: {{ strftime_now('%d %b %Y') }}\n"


def model(template: str | dict[str, str] | None) -> PreTrainedTokenizerFast:
    tokenizer = load_pretrained(PretrainedConfig(model="tiny:qwen2"), frozen=False)[1]
    tokenizer.chat_template = template
    return tokenizer


def text(template: str, shots: Sequence[Any] = (), **settings: Any) -> str:
    return chat.render(model(template), prompts.prompt(shots, PromptConfig(**settings))).text


@pytest.mark.parametrize("template", [REFUSES, DROPS], ids=["refuses", "drops"])
@pytest.mark.parametrize("shots", [0, 2])
def test_a_template_without_a_system_role_gets_its_text_in_the_first_user_message(
    template: str, shots: int
) -> None:
    made = text(template, ROWS[:shots])
    assert made == text(template, ROWS[:shots], system_role="false")
    system = prompts.prompt().system
    assert made.count(system) == 1
    assert made.index(system) < made.index("다음 일상 대화를") < made.index(PLACEHOLDER)
    assert "<|im_start|>system" not in made
    assert "<|im_start|>system" in text(TURNS, ROWS[:shots])


def test_the_fall_back_is_logged_once_and_noted(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="common"):
        assert chat.notes(model(TURNS), PromptConfig()) == {"system_role": True}
        assert caplog.messages == []
        assert chat.notes(model(REFUSES), PromptConfig()) == {"system_role": False}
        assert len(caplog.messages) == 1
        assert "has no system message; its text starts the first user message" in caplog.messages[0]
        assert chat.notes(model(TURNS), PromptConfig(system_role="false")) == {"system_role": False}
    assert len(caplog.messages) == 1  # nothing to say about what was asked for


@pytest.mark.parametrize(("template", "fault"), [(REFUSES, r"refuses the system message \(System role not supported\)"), (DROPS, "leaves the system message out")])  # fmt: skip
def test_a_system_message_that_must_be_there_is_never_left_out(template: str, fault: str) -> None:
    with pytest.raises(UserError, match=f"{fault}; use --system-role auto"):
        text(template, system_role="true")


@pytest.mark.parametrize(
    "template",
    [
        "{% for message in messages %}",  # no end
        "{{ messages[0].no.such }}",
        "{{ 'a' + 1 }}",
        "{{ raise_exception('Conversation roles must alternate') }}",
        "{{ messages | no_such_filter }}",
        {"rag": TURNS, "tool_use": TURNS},  # several, and none of them is the default
    ],
)
def test_a_template_that_fails_is_one_line(template: str | dict[str, str]) -> None:
    with pytest.raises(UserError, match=r"the chat template of .* cannot render the prompt") as caught:
        chat.render(model(template), prompts.prompt())
    assert "\n" not in str(caught.value)


def test_thinking_is_off_unless_it_is_asked_for() -> None:
    template = TURNS + OFF
    assert text(template).endswith("<|im_start|>assistant\n<think>\n\n</think>\n\n")
    assert text(template, thinking=True).endswith("<|im_start|>assistant\n")
    for name, value in (("thinking", "False"), ("skip_reasoning", "True")):
        assert text(f"{TURNS}{{{{ {name} }}}}").endswith(value)


def test_a_prompt_never_ends_inside_a_thought() -> None:
    """Without its opening tag, a thought that does not end looks like an answer."""
    assert text(ALWAYS).endswith("<|im_start|>assistant\n<think>\n\n</think>\n\n")
    assert text(ALWAYS, thinking=True).endswith("<|im_start|>assistant\n")
    assert text(TURNS + "[THINK]").endswith("[THINK]\n\n[/THINK]\n\n")


@pytest.mark.parametrize(
    ("opened", "closed"),
    [
        ("<think>\nOkay, ", "<think>\nOkay,\n\n</think>\n\n"),
        ("<|START_THINKING|>", "<|START_THINKING|><|END_THINKING|>"),
        ("<|channel>thought\n\n", "<|channel>thought\n<channel|>"),
        (
            "<|channel|>analysis<|message|>",
            "<|channel|>analysis<|message|><|end|><|start|>assistant<|channel|>final<|message|>",
        ),
    ],
)
def test_a_thought_is_ended_as_its_model_does(opened: str, closed: str) -> None:
    assert text(TURNS + opened).endswith(f"<|im_start|>assistant\n{closed}")
    assert text(TURNS + opened, thinking=True).endswith("<|im_start|>assistant\n")


HARMONY = (  # what gpt-oss's template does
    "{%- if reasoning_effort is not defined %}{%- set reasoning_effort = 'medium' %}{%- endif %}"
    "<|start|>system<|message|>Reasoning: {{ reasoning_effort }}\n\n# Valid channels: analysis, final.<|end|>"
    "{%- for message in messages %}{%- if message.role == 'system' %}<|start|>developer<|message|>{{ message.content }}<|end|>"
    "{%- elif message.role == 'assistant' %}<|start|>assistant<|channel|>final<|message|>{{ message.content }}<|end|>"
    "{%- else %}<|start|>{{ message.role }}<|message|>{{ message.content }}<|end|>{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}<|start|>assistant{%- endif %}"
)


@pytest.mark.parametrize("shots", [0, 2])
def test_a_model_of_the_harmony_format_answers_at_once_unless_it_may_think(shots: int) -> None:
    off, on = text(HARMONY, ROWS[:shots]), text(HARMONY, ROWS[:shots], thinking=True)
    assert off.endswith("<|end|><|start|>assistant<|channel|>final<|message|>")
    assert off.startswith("<|start|>system<|message|>Reasoning: low\n")
    assert on.endswith("<|end|><|start|>assistant")
    assert on.startswith("<|start|>system<|message|>Reasoning: medium\n")
    assert off.count("<|channel|>final<|message|>") == shots + 1
    opened = HARMONY.replace(
        "<|start|>assistant{%- endif", "<|start|>assistant<|channel|>analysis<|message|>{%- endif"
    )
    assert text(opened, thinking=True).endswith("<|end|><|start|>assistant")
    assert text(opened).endswith("analysis<|message|><|end|><|start|>assistant<|channel|>final<|message|>")


def test_templates_that_name_an_effort_or_a_budget_get_the_least() -> None:
    solar = TURNS + "{% if reasoning_effort in ['low', 'minimal'] %}<|think|><|end|>{% endif %}"
    assert text(solar).endswith("<|think|><|end|>")
    assert text(solar, thinking=True).endswith("assistant\n")
    strict = (
        "{% if reasoning_effort is defined and reasoning_effort not in ['none', 'high'] %}"
        "{{ raise_exception('reasoning_effort must be none or high') }}{% endif %}"
    )
    assert text(f"{strict}{TURNS}{{{{ reasoning_effort }}}}").endswith("none")
    assert text(f"{TURNS}{{{{ reasoning_effort | default('medium') }}}}").endswith("medium")
    assert text(f"{TURNS}{{{{ thinking_budget }}}}").endswith("0")


PARTS = (
    "{% for message in messages %}<{{ message['role'] }}>{% for part in message['content'] %}"
    "{% if part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}\n{% endfor %}"
)


@pytest.mark.parametrize("template", [PARTS, "{% for m in messages %}<{{ m.role }}>{{ m.content[0]['text'] }}\n{% endfor %}"])  # fmt: skip
def test_a_template_that_reads_parts_gets_parts(template: str) -> None:
    made = chat.render(model(template), prompts.prompt(ROWS[:1]))
    whole = TURNS.replace("<|im_start|>", "<").replace(" | trim }}<|im_end|>", " }}")
    assert made.system_role
    assert made.text.count(PLACEHOLDER) == 1
    assert "type" not in made.text
    assert made.text.startswith(text(whole)[:8].replace("\n", ">"))


@pytest.mark.parametrize(
    ("template", "times"),
    [("{% for m in messages %}{{ m.content }}{{ m.content }}{% endfor %}", 2), ("{{ messages[:-1] }}", 0)],
)
def test_a_template_that_does_not_print_the_dialogue_once_is_one_line(template: str, times: int) -> None:
    for system_role in ("auto", "true", "false"):
        with pytest.raises(UserError, match=rf"the chat template of .* prints the dialogue {times} times"):
            text(template, system_role=system_role)


class Tomorrow(datetime.datetime):
    """Stands for the clock of another day."""

    @classmethod
    def now(cls, tz: Any = None) -> "Tomorrow":
        return cls(2031, 5, 6, 7, 8, 9)


@pytest.mark.parametrize(
    ("template", "wanted"),
    [
        (DATED + TURNS, "Today: 26 Jul 2024\n"),
        ("{% if strftime_now is defined %}{% set day = strftime_now('%B %d, %Y') %}{% endif %}{{ day }}|" + TURNS, "July 26, 2024|"),
        ("{% macro day() %}{{ strftime_now('%Y-%m-%d') }}{% endmacro %}{{ day() }}" + TURNS, "2024-07-26"),
        ("{{ strftime_now('%Y') | int - 1 }} {{ 'on ' + strftime_now('%A') }}" + TURNS, "2023 on Friday"),
        ("{% for m in messages[:1] %}{{ strftime_now('%-d.%-m.%y %H:%M') }}{% endfor %}" + TURNS, "26.7.24 00:00"),
        ("{{ strftime_now('%F %e|%D|%T|%%d|%-e|%^a|%_m|%R') }}\n" + TURNS, "2024-07-26 26|07/26/24|00:00:00|%d|26|FRI| 7|00:00\n"),
        ("{{ strftime_now('%' + 'F') }}\n" + TURNS, "2024-07-26\n"),
    ],
)  # fmt: skip
def test_a_template_prints_the_date_of_the_settings_on_every_day(
    template: str, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = text(template)
    assert before.startswith(wanted)
    ids = chat_template(model(template), prompts.prompt())
    monkeypatch.setattr(chat_template_utils, "datetime", Tomorrow)
    live = model(template).apply_chat_template([{"role": "user", "content": "?"}], tokenize=False)
    assert (
        "2031" in live or "2030" in live or "6.5.31" in live or "05/06/31" in live
    )  # what transformers itself would print
    assert text(template) == before
    assert chat_template(model(template), prompts.prompt()) == ids
    assert text(template, date="2025-01-02") != before
    assert chat.notes(model(template), PromptConfig())["date"] == "2024-07-26"


@pytest.mark.parametrize("start", ["", "\n", "\n\n", "  ", "  {% if true %}가{% endif %}\n", "\n  {% if true %}가\n{% endif %}", "{#- 가 -#}\n나", "{%- if true -%} 가 {%- endif -%}\n"])  # fmt: skip
def test_the_rest_of_a_dated_template_is_rendered_as_before(start: str) -> None:
    dated = f"{start}{TURNS}{{% set day = strftime_now('%Y') %}}"
    assert text(dated) == text(dated.replace("strftime_now('%Y')", "'2024'"))


def test_a_wrong_date_is_refused() -> None:
    for wrong in ("2024-13-01", "26 Jul 2024", "20240726", "", "2024-7-6"):
        with pytest.raises(UserError, match=r"--date: found .* wanted a date as YYYY-MM-DD"):
            PromptConfig(date=wrong).require_consistent()
