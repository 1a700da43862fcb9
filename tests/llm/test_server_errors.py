"""Errors as servers report them: what is waited for, what stops the run, and what the user is told to change."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from common import llm
from common.core.errors import UserError
from tests.llm.conftest import Ask
from tests.support import scripted_server
from tests.support.llm_world import config, no_check, questions, stored
from tests.support.scripted_server import Call, Reply, chat, json_reply

GOOD = "#Person1#은 시장에서 물건을 사 달라고 부탁하고, #Person2#는 그러겠다고 한다."


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (json_reply({"error": {"message": "upstream quota exhausted", "code": 429}}), "429"),
        (json_reply({"error": {"message": "upstream quota exhausted", "code": "429"}}), "429"),
        (json_reply({"error": {"message": "x", "code": "HTTP_502"}}), "502"),
        (json_reply({"error": "the upstream answered 504"}), "503"),
        (json_reply({"error": "Error code: 504"}), "504"),
        (json_reply({"error": "overloaded"}), "503"),
        (json_reply({"error": {"message": "slow down", "type": "rate_limit_exceeded"}}), "429"),
        (json_reply({"detail": "Rate limit: 20 per minute"}), "429"),
        (json_reply({"object": "error", "message": "internal error", "code": 500}), "500"),
        (json_reply({"choices": [], "message": "잠시 후 다시 시도해 주세요"}), "429"),
        (json_reply({"choices": None, "error": {"message": "something odd"}}), "error"),
        (json_reply({"choices": [{"error": {"code": 502, "message": "provider"}, "finish_reason": "error"}]}), "502"),
        (json_reply({"base_resp": {"status_code": 1002, "status_msg": "rate limit"}}), "429"),
        (json_reply({"error": {"message": "partly", "code": 503}, "choices": [{"message": {"content": GOOD}}]}), "503"),
    ],
)  # fmt: skip
def test_an_error_inside_200_is_treated_as_its_status(ask: Ask, reply: Reply, reason: str) -> None:
    answer, usage = ask(reply, chat(GOOD))
    assert (answer.text, usage.retries, usage.lost_cost) == (GOOD, {reason: 1}, 0.0)


@pytest.mark.parametrize(
    ("reply", "parts"),
    [
        (json_reply({"id": "x", "choices": None, "error": {"message": "context window exceeded", "type": "BadRequest"}}),
         ["refused (400)", '"context window exceeded"', "lower --shots"]),
        (json_reply({"error": {"message": "This model's maximum context length is 4096 tokens", "type": "invalid_request_error"}}, 400),
         ["refused (400)", "maximum context length is 4096", "lower --shots"]),
        (json_reply({"error": {"message": "bad request: no such role"}}), ["refused (400)", '"bad request: no such role"']),
        (json_reply({"error": {"message": "no such key", "code": "invalid_api_key"}}), ["refused (401)", "no such key", "Check the key"]),
        (json_reply({"error": {"message": "The model `x` does not exist", "code": "model_not_found"}}, 404), ["(404)", "does not exist", "--model"]),
        (json_reply({"detail": "Not Found"}, 404), ["(404)", '"Not Found"', "--base-url"]),
        (json_reply({"error": {"message": "region"}}, 403), ["(403)", '"region"', "may not do that"]),
        (Reply(413, content=b"<html>too big</html>"), ["(413)", "too big", "lower --shots"]),
        (Reply(307, headers={"Location": "http://[bad"}, content=b""), ["redirect (307) to another place"]),
        (json_reply({"error": {"message": "System role not supported", "code": 400}}), ["(400)", "System role not supported", "--system-role false"]),
        (Reply(418, content=b""), ["(418)", "does not say why"]),
    ],
)  # fmt: skip
def test_an_error_of_the_request_stops_at_once_with_the_servers_words(
    tmp_path: Path, reply: Reply, parts: list[str]
) -> None:
    with scripted_server.serve(lambda _: reply) as server:
        with pytest.raises(UserError) as caught:
            llm.ask(questions(1), config(server.url), no_check, cache=tmp_path / "c.sqlite")
        assert server.received.total() == 1
    assert [part for part in parts if part not in str(caught.value)] == []
    assert "network" not in str(caught.value)
    assert stored(tmp_path / "c.sqlite") == {}


@pytest.mark.parametrize(
    "reply",
    [
        json_reply({"error": {"message": "no quota left, check plan and billing", "type": "insufficient_quota", "code": "insufficient_quota"}}, 429),
        json_reply({"error": {"message": "no quota left, check plan and billing"}}, 429),
        json_reply({"error": {"message": "You have run out of credits"}}, 429),
        json_reply({"error": {"message": "크레딧이 모두 소진되었습니다."}}, 429),
        json_reply({"error": {"message": "잔액이 부족합니다. 충전 후 이용하세요."}}, 429),
        json_reply({"error": {"message": "월간 사용량을 모두 썼습니다."}}, 429),
        json_reply({"error": {"message": "daily limit reached"}}, 429),
        json_reply({"error": {"message": "Payment Required"}}, 402),
        json_reply({"error": {"message": "Your credit balance is too low"}}, 400),
        json_reply({"error": {"message": "x", "code": "insufficient_quota"}}, 500),
        json_reply({"error": {"message": "x", "code": "insufficient_balance"}}),
        json_reply({"error": {"message": "x", "code": 402}}),
        json_reply({"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}),
    ],
)  # fmt: skip
def test_a_quota_that_no_waiting_restores_stops_at_once(tmp_path: Path, reply: Reply) -> None:
    with scripted_server.serve(lambda _: reply) as server:
        with pytest.raises(UserError, match="used up; waiting does not help") as caught:
            llm.ask(questions(1), config(server.url), no_check, cache=tmp_path / "c.sqlite")
        assert server.received.total() == 1
    assert reply.content is not None
    said = json.loads(reply.content)
    assert (said.get("error") or {"message": "insufficient balance"})["message"] in str(caught.value)
    assert "network" not in str(caught.value)


@pytest.mark.parametrize(
    "reply",
    [
        json_reply({"error": {"message": "Rate limit reached: 3 requests per min. Add a payment method to raise it.", "code": "rate_limit_exceeded"}}, 429),
        json_reply({"error": {"message": "You exceeded your current quota, please check your plan and billing details. Please retry in 21.6s."}}, 429),
        json_reply({"error": {"message": "Quota exceeded for quota metric 'requests per minute'"}}, 429),
        json_reply({"error": {"message": "분당 한도를 초과했습니다. 요금제를 확인하세요."}}, 429),
        json_reply({"error": {"message": "the billing service does not answer"}}, 503),
        Reply(429, headers={"Retry-After": "0.01"}, content=b'{"error": {"message": "check your plan and billing"}}'),
    ],
)  # fmt: skip
def test_a_limit_for_each_minute_is_waited_for_whatever_it_says_of_billing(ask: Ask, reply: Reply) -> None:
    answer, usage = ask(reply, chat(GOOD))
    assert answer.text == GOOD
    assert usage.retries == {str(reply.status): 1}


@pytest.mark.parametrize(
    ("reply", "part"),
    [
        (Reply(429, content=b'{"error": {"message": "slow"}}'), 'the last reason: 429: "slow". Lower --requests-per-minute'),
        (Reply(503, content=b"down"), 'the last reason: 503: "down". The server failed, not the request'),
        (Reply(drop="before"), "the last reason: dropped: the connection was closed before the answer. The server or a proxy"),
        (json_reply({"error": {"message": "odd"}}), 'the last reason: error: "odd". Read what the server says'),
    ],
)  # fmt: skip
def test_what_to_do_fits_the_last_reason(ask: Ask, reply: Reply, part: str) -> None:
    with pytest.raises(UserError) as caught:
        ask(reply, attempts=2)
    assert part in str(caught.value)
    assert "network" not in str(caught.value)


def test_a_servers_words_are_cut_and_cannot_move_the_cursor(ask: Ask) -> None:
    with pytest.raises(UserError) as caught:
        ask(json_reply({"error": {"message": "\x1b[2J\n" + "말" * 9000}}, 400))
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 900


# --- parameters that a model refuses ---


def refusing(name: str, reply: Reply) -> Callable[[Call], Reply]:
    return lambda call: reply if name in call.body else chat(GOOD)


MAX_TOKENS = json_reply({"error": {"message": "unsupported parameter: 'max_tokens'; use 'max_completion_tokens'", "param": "max_tokens", "code": "unsupported_parameter"}}, 400)  # fmt: skip
PENALTY = json_reply(
    {"detail": [{"loc": ["body", "frequency_penalty"], "msg": "extra fields not permitted"}]}, 422
)
TEMPERATURE = json_reply({"error": {"message": "`temperature` is deprecated for this model."}}, 400)


@pytest.mark.parametrize(
    ("name", "reply", "said", "option", "setting"),
    [
        ("max_tokens", MAX_TOKENS, "use 'max_completion_tokens'", "--max-tokens-name max_completion_tokens", {"max_tokens_name": "max_completion_tokens"}),
        ("frequency_penalty", PENALTY, "extra fields not permitted", "--leave-out frequency_penalty", {"leave_out": ("frequency_penalty",)}),
        ("temperature", TEMPERATURE, "is deprecated", "--leave-out temperature", {"leave_out": ("temperature",)}),
        ("top_k", json_reply({"message": "top_k: not supported"}, 400), "not supported", "take top_k out of --extra", {"extra": ""}),
    ],
)  # fmt: skip
def test_a_refused_parameter_is_named_with_its_setting_which_helps(
    tmp_path: Path, name: str, reply: Reply, said: str, option: str, setting: dict[str, Any]
) -> None:
    with scripted_server.serve(refusing(name, reply)) as server:
        before: dict[str, Any] = {"extra": '{"top_k": 5}'} if name == "top_k" else {}
        with pytest.raises(UserError) as caught:
            llm.ask(questions(1), config(server.url, **before), no_check, cache=tmp_path / "c.sqlite")
        assert server.received.total() == 1
        assert said in str(caught.value)
        assert option in str(caught.value)
        (answer,), _ = llm.ask(
            questions(1), config(server.url, **setting), no_check, cache=tmp_path / "c.sqlite"
        )
        assert answer.text == GOOD


def test_the_advice_keeps_what_is_left_out_already(ask: Ask) -> None:
    with pytest.raises(UserError, match="--leave-out temperature,frequency_penalty"):
        ask(PENALTY, leave_out=("temperature",))
