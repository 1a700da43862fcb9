"""Parameters that are renamed, left out or added, and the cache keys that they give."""

from typing import Any

import pytest

from common.core.errors import UserError
from common.llm import LLMConfig
from common.llm.cache import body, request_hash
from common.llm.client import require_ready
from common.prompts import Message
from tests.support.llm_world import KEY, config

BASE = LLMConfig(base_url="https://host/v1", model="tester-1", key_name="LLM_TEST_KEY")
ASKED = (Message("user", "비가 와요?"),)


def test_the_default_hash_stays_so_that_paid_answers_stay_in_use() -> None:
    assert request_hash(BASE, ASKED, 0) == "29bd12390a3862393a8262d4b70f25eb7a493c812b38d10fdb22da18a4cd3c71"


def test_what_is_sent() -> None:
    made = config("https://host/v1", max_tokens_name="max_completion_tokens", leave_out=("temperature", "stream"),
                  extra='{"chat_template_kwargs": {"enable_thinking": false}, "reasoning_effort": "low"}')  # fmt: skip
    assert body(made, ()) == {
        "model": "tester-1", "messages": [], "frequency_penalty": 0.0, "max_completion_tokens": 300,
        "chat_template_kwargs": {"enable_thinking": False}, "reasoning_effort": "low",
    }  # fmt: skip


def test_every_change_is_another_question_and_spaces_are_none() -> None:
    changes: list[dict[str, Any]] = [
        {}, {"max_tokens_name": "max_completion_tokens"}, {"leave_out": ("temperature",)}, {"leave_out": ("frequency_penalty",)},
        {"leave_out": ("temperature", "frequency_penalty")}, {"extra": '{"top_k": 5}'}, {"extra": '{"top_k": 6}'},
    ]  # fmt: skip
    hashes = [request_hash(config("https://host/v1", **change), ASKED, 0) for change in changes]
    assert len(set(hashes)) == len(changes)
    same = [
        {"extra": " "},
        {"extra": "{}"},
        {"leave_out": ()},
    ]
    assert {request_hash(config("https://host/v1", **change), ASKED, 0) for change in same} == {hashes[0]}
    one, other = ('{"a": 1, "b": 2}', '{"b":2,"a":1}')
    assert request_hash(config("https://host/v1", extra=one), ASKED, 0) == request_hash(
        config("https://host/v1", extra=other), ASKED, 0
    )


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"max_tokens_name": ""}, "max_tokens_name is no parameter's name"), ({"max_tokens_name": "temperature"}, "max_tokens_name is 'temperature'"),
        ({"max_tokens_name": "model"}, "--max-tokens-name max_completion_tokens"), ({"max_tokens_name": "a b"}, "max_tokens_name"),
        ({"extra": "low"}, "extra is not JSON"),
        ({"extra": "[1]"}, "no object"), ({"extra": "{"}, "extra is not JSON"), ({"extra": '{"a": NaN}'}, "NaN is no JSON number"),
        ({"extra": '{"a": 1e999}'}, "too large"), ({"extra": '{"a": 1, "a": 2}'}, "a name occurs twice"), ({"extra": "[" * 9000}, "at most 1000 characters"),
        ({"extra": '{"a": "' + "b" * 10_000 + '"}'}, "at most 1000 characters"), ({"extra": '{"temperature": 1}'}, "extra repeats temperature"),
        ({"extra": '{"max_tokens": 9}'}, "extra repeats max_tokens"), ({"extra": '{"n": 3}'}, "use --samples"), ({"extra": '{"messages": []}'}, "repeats messages"),
        ({"max_tokens_name": "max_new_tokens", "extra": '{"max_new_tokens": 9}'}, "extra repeats max_new_tokens"),
    ],
)  # fmt: skip
def test_what_cannot_be_sent_is_named(change: dict[str, Any], part: str) -> None:
    with pytest.raises(UserError) as caught:
        require_ready(config("https://host/v1", **change))
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)


CANARY = "sk-canary0f9e8d7c6b5a"


@pytest.mark.parametrize(
    "change",
    [
        {"extra": f'{{"api_key": "{CANARY}"}}'}, {"extra": f'{{"headers": {{"Authorization": "Bearer {CANARY}"}}}}'}, {"extra": f'{{"a": ["{CANARY}"]}}'},
        {"extra": f'{{"{CANARY}": 1}}'}, {"extra": f'{{"url": "https://me:{CANARY}@host"}}'}, {"extra": CANARY},
        {"max_tokens_name": CANARY}, {"extra": f'{{"note": "{KEY}"}}'},
    ],
)  # fmt: skip
def test_a_secret_is_refused_and_not_shown(change: dict[str, Any]) -> None:
    with pytest.raises(UserError) as caught:
        require_ready(config("https://host/v1", **change))
    assert "canary" not in str(caught.value)
    assert KEY[:12] not in str(caught.value)


@pytest.mark.parametrize("extra", ['{"stop": ["\\n\\n"]}', '{"max_thinking_tokens": 0}', '{"stop_token_ids": [1]}', '{"thinking": {"type": "disabled"}}', '{"response_format": {"type": "json_object"}}'])  # fmt: skip
def test_ordinary_parameters_are_no_secrets(extra: str) -> None:
    require_ready(config("https://host/v1", extra=extra))
