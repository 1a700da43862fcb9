"""What a chat-completions endpoint may answer, through a real server on this machine."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common import llm
from common.core.errors import UserError
from common.llm import LLMConfig, completion
from common.llm.refusals import Target, TransientError
from tests.llm.conftest import Ask
from tests.support import scripted_server
from tests.support.llm_world import config, no_check, questions
from tests.support.scripted_server import Reply, chat, json_reply

GOOD = "#Person1#은 시장에서 물건을 사 달라고 부탁하고, #Person2#는 그러겠다고 한다."


# --- markers, thoughts and wrappers: tests/prompts/test_cleaning.py has the forms ---


@pytest.mark.parametrize(
    "form",
    ["%s<|im_end|>", "%s<|eot_id|>", "%s<end_of_turn>", "언제 만나는지 보자.\n</think>\n\n%s", '{"summary": "%s"}', "다음은 대화의 요약입니다:\n%s"],
)  # fmt: skip
def test_what_is_not_the_summary_is_taken_off(ask: Ask, form: str) -> None:
    answer, usage = ask(chat(form.replace("%s", GOOD)))
    assert (answer.text, answer.problem, usage.calls) == (GOOD, "", 1)


@pytest.mark.parametrize("text", [GOOD.replace(" 사", "<|im_end|> 사"), f"<think>아직\n{GOOD}", f"{GOOD}<|im_end|>{GOOD}"])  # fmt: skip
def test_what_is_inside_is_asked_for_once_more(ask: Ask, text: str) -> None:
    answer, usage = ask(chat(text), chat(GOOD))
    assert (answer.text, answer.retried, usage.calls) == (GOOD, True, 2)


# --- how an answer ended ---


@pytest.mark.parametrize("finish", ["length", "max_tokens", "MAX_TOKENS", "model_length", "incomplete", {"type": "length"}])  # fmt: skip
def test_a_cut_off_answer_is_asked_for_once_more_and_never_a_summary(ask: Ask, finish: Any) -> None:
    answer, usage = ask(chat(GOOD, finish), chat(GOOD))
    assert (answer.text, answer.problem, answer.retried, usage.calls) == (GOOD, "", True, 2)


def test_an_answer_that_is_cut_off_twice_is_none(ask: Ask) -> None:
    answer, usage = ask(chat("#Person1#과 #Person2#", "MAX_TOKENS"))
    assert (answer.text, usage.failed, usage.calls) == ("", 1, 2)
    assert "(MAX_TOKENS;" in answer.problem


@pytest.mark.parametrize("finish", ["stop", "eos_token", "end_turn", "COMPLETE", None, ""])
def test_a_finished_answer_is_complete(ask: Ask, finish: Any) -> None:
    answer, usage = ask(chat(GOOD, finish))
    assert (answer.text, usage.calls) == (GOOD, 1)


def test_a_missing_reason_is_complete_and_an_unknown_one_is_warned_of_once(
    ask: Ask, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    answer, _ = ask(json_reply({"choices": [{"message": {"content": GOOD}}]}))
    assert answer.text == GOOD
    with scripted_server.serve(lambda _: chat(GOOD, "done_x1")) as server:
        llm.ask(questions(9), config(server.url), no_check, cache=tmp_path / "complete.sqlite")
    assert "not known" not in caplog.text
    with scripted_server.serve(lambda _: chat(GOOD, "wibble")) as server:
        answers, _ = llm.ask(questions(9), config(server.url), no_check, cache=tmp_path / "more.sqlite")
    assert [answer.text for answer in answers] == [GOOD] * 9
    assert caplog.text.count("finish_reason 'wibble' is not known") == 1


@pytest.mark.parametrize(
    ("reply", "part"),
    [
        (chat("", "content_filter"), "필터에 막힘(content_filter)"),
        (chat(GOOD, "SAFETY"), "필터에 막힘(SAFETY)"),
        (chat({"content": None, "refusal": "못 합니다."}), "필터에 막힘(refusal)"),
        (chat({"content": [{"type": "refusal", "refusal": "못 합니다."}]}), "필터에 막힘(refusal)"),
        (chat({"content": None, "tool_calls": [{"id": "a"}]}, "tool_calls"), "도구를 부름(tool_calls)"),
        (chat({"tool_calls": [{"id": "a"}]}), "도구를 부름(tool_calls)"),
        (chat({"content": [{"type": "tool_use", "name": "a"}]}), "도구를 부름(tool_calls)"),
        (json_reply({"error": {"code": "content_filter", "message": "blocked"}}, 400), "필터에 막힘(content_filter)"),
        (json_reply({"error": {"code": "data_inspection_failed", "message": "x"}}), "필터에 막힘"),
    ],
)  # fmt: skip
def test_a_filter_a_refusal_and_a_tool_are_faults_of_one_row(ask: Ask, reply: Reply, part: str) -> None:
    answer, usage = ask(reply)
    assert (answer.text, usage.failed, usage.calls) == ("", 1, 2)
    assert part in answer.problem


def test_an_answer_that_the_server_broke_off_is_asked_for_again_as_it_was(ask: Ask) -> None:
    answer, usage = ask(chat("#Person1#과", "insufficient_system_resource"), chat(GOOD))
    assert (answer.text, answer.retried, usage.retries) == (GOOD, False, {"broken": 1})


# --- where the text is ---


@pytest.mark.parametrize(
    "reply",
    [
        chat({"content": [{"type": "text", "text": GOOD}]}),
        chat({"content": [{"type": "text", "text": GOOD[:9]}, {"type": "text", "text": GOOD[9:]}]}),
        chat({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "언제?"}]}, {"type": "text", "text": GOOD}]}),
        chat({"content": [{"type": "reasoning", "text": "언제?"}, {"type": "output_text", "text": GOOD}]}),
        chat({"content": [{"text": "언제?", "thought": True}, {"text": GOOD}]}),
        chat({"content": {"type": "text", "text": GOOD}}),
        chat({"content": [{"type": "text", "text": {"value": GOOD}}]}),
        chat({"content": [[{"type": "text", "content": [GOOD[:5], GOOD[5:]]}]]}),
        chat({"content": GOOD, "reasoning_content": "언제 만나는가.", "reasoning": "언제?"}),
        chat({"content": GOOD, "refusal": None, "tool_calls": [], "audio": None}),
        chat({"text": GOOD}),
        json_reply({"choices": [{"text": GOOD, "finish_reason": "stop"}]}),
        json_reply({"choices": [{"message": None, "text": GOOD, "finish_reason": "stop"}]}),
        json_reply({"error": None, "choices": [{"message": {"content": GOOD}}]}),
        json_reply({"error": {"code": None, "message": ""}, "choices": [{"message": {"content": GOOD}}]}),
        json_reply({"choices": [{"index": 1, "message": {"content": "다른 답"}}, {"index": 0, "message": {"content": GOOD}}]}),
        json_reply({"choices": [None, {"message": {"content": GOOD}}]}),
        Reply(201, content=chat(GOOD).content),
    ],
)  # fmt: skip
def test_every_form_of_a_content(ask: Ask, reply: Reply) -> None:
    answer, usage = ask(reply)
    assert (answer.text, answer.problem, usage.calls) == (GOOD, "", 1)


@pytest.mark.parametrize(
    "reply",
    [
        json_reply({"choices": None}), json_reply({"choices": []}), json_reply({"choices": [None]}), json_reply({"choices": [{}]}), json_reply({"choices": {}}),
        json_reply({"choices": [{"message": {"content": 7}}]}), json_reply({"choices": [{"delta": {"content": GOOD}}]}), json_reply([]), json_reply("가"), json_reply(3),
        json_reply({"choices": [{"message": {"content": [7]}}]}), Reply(content=b"data: {}\n\ndata: [DONE]\n"),
    ],
)  # fmt: skip
def test_what_is_no_completion_is_tried_again_and_then_quoted(ask: Ask, reply: Reply) -> None:
    answer, usage = ask(reply, chat(GOOD))
    assert (answer.text, usage.retries) == (GOOD, {"broken": 1})


def test_what_is_no_completion_is_quoted(ask: Ask) -> None:
    with pytest.raises(UserError, match=r'broken: the body is not JSON: "<h1>It works!</h1>"\. Check that base_url is an OpenAI'):  # fmt: skip
        ask(Reply(content=b"<h1>It works!</h1>"), attempts=2)


def test_an_empty_answer_whose_thought_used_up_the_tokens_is_cut_off(ask: Ask) -> None:
    answer, usage = ask(chat({"content": None, "reasoning_content": "언제"}, "length"), chat(GOOD))
    assert (answer.text, answer.retried, usage.calls) == (GOOD, True, 2)


def test_an_answer_without_end_is_a_fault_at_once(ask: Ask) -> None:
    answer, usage = ask(chat("요약:" * 500_000), chat(GOOD))
    assert (answer.text, answer.retried, usage.calls) == (GOOD, True, 2)


def test_counts_of_another_name_are_read(ask: Ask) -> None:
    answer, _ = ask(
        json_reply(
            {"choices": [{"message": {"content": GOOD}}], "usage": {"input_tokens": 7, "output_tokens": 5}}
        )
    )
    assert (answer.prompt_tokens, answer.completion_tokens) == (7, 5)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8) | st.sampled_from([GOOD, "text", "length", "error", "429"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["choices", "message", "content", "text", "type", "error", "code", "finish_reason", "detail", "usage", "index", "refusal", "loc", "msg",
                         "param", "tool_calls", "prompt_tokens", "base_resp", "errors", "status"]), inner, max_size=5),
    max_leaves=15,
)  # fmt: skip


@settings(max_examples=400)
@given(JSON, st.sampled_from([200, 201, 307, 400, 403, 422, 429, 500]))
def test_no_json_breaks_a_call(value: Any, status: int) -> None:
    content = json.dumps({"choices": [value]} if isinstance(value, dict) else value).encode()
    try:
        found = completion.read(status, {}, content, Target("https://host", ""), LLMConfig())
    except (TransientError, UserError):
        return
    assert isinstance(found.text, str)
    assert len(found.finish) <= 40
    assert not found.text or status in (200, 201)
