"""Answers that fail their check are asked for once more and kept as failed."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from common import llm
from common.llm import Answer, Request, Usage
from common.llm.limits import most_prompt_tokens
from tests.support import scripted_server
from tests.support.llm_world import check, config, no_check, questions, stored
from tests.support.scripted_server import Call, Reply

GOOD = "#Person1#은 시장에서 물건을 사 달라고 하고, #Person2#는 그러겠다고 한다."


def faulty_then(second: str, first: str = "") -> Callable[[Call], Reply]:
    return lambda call: Reply(text=second if len(call.body["messages"]) > 2 else first)


def test_a_faulty_answer_is_asked_for_once_more_with_the_fault_named(tmp_path: Path) -> None:
    seen: list[list[dict[str, str]]] = []

    def script(call: Call) -> Reply:
        seen.append(call.body["messages"])
        return faulty_then(GOOD, "#Person7#은 우산을 산다.")(call)

    with scripted_server.serve(script) as server:
        for calls in (2, 0):
            (answer,), usage = llm.ask(
                questions(1), config(server.url), check(1), cache=tmp_path / "c.sqlite"
            )
            assert (answer.text, answer.problem, answer.retried) == (GOOD, "", True)
            assert (usage.calls, answer.cached) == (calls, calls == 0)
    first, second = seen
    assert second[:2] == first
    assert second[2] == {"role": "assistant", "content": "#Person7#은 우산을 산다."}
    assert second[3]["role"] == "user"
    assert "대화에 없는 표지를 씀: #Person7#" in second[3]["content"]


def test_a_row_that_stays_faulty_is_no_text_and_is_not_paid_again_unless_asked_for(tmp_path: Path) -> None:
    replies = [
        "죄송하지만 요약할 수 없습니다.",
        "저는 AI 언어 모델입니다.",
        "여전히 안 됩니다. 죄송합니다",
        "",
        GOOD,
    ]
    script = lambda call: Reply(text=replies[min(call.number, 5) - 1])  # noqa: E731
    with scripted_server.serve(script) as server:
        settings, cache = config(server.url), tmp_path / "c.sqlite"

        def run(**changes: Any) -> tuple[Answer, Usage]:
            answers, usage = llm.ask(questions(1), replace(settings, **changes), check(1), cache=cache)
            return answers[0], usage

        answer, usage = run()
        assert (answer.text, answer.problem, usage.failed, usage.calls) == ("", "답을 거절함", 1, 2)
        answer, usage = run()
        assert (answer.text, answer.problem, usage.failed, usage.calls) == ("", "답을 거절함", 1, 0)
        assert answer.cached
        assert answer.prompt_tokens > 0
        replies[2] = "#Person1#은 #Person9#를 만난다."
        answer, usage = run(retry_failed=True)
        assert (answer.problem, usage.calls) == ("답이 비어 있음", 2)
        answer, usage = run(retry_failed=True)
        assert (answer.text, answer.problem, usage.calls) == (GOOD, "", 1)
        answer, usage = run(retry_failed=True)
        assert (answer.text, usage.calls, server.received.total()) == (GOOD, 0, 5)


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        (Reply(text=""), "답이 비어 있음"),
        (Reply(text=" \n\u200b"), "답이 비어 있음"),
        (Reply(content=b'{"choices": [{"message": {"content": null}, "finish_reason": "stop"}]}'), "답이 비어 있음"),
        (Reply(text=GOOD, finish="length"), "답이 길이 제한에 걸려"),
        (Reply(text=GOOD, finish="content_filter"), "필터에 막힘"),
    ],
)  # fmt: skip
def test_empty_and_cut_off_answers_fail_whatever_the_check_says(
    tmp_path: Path, reply: Reply, problem: str
) -> None:
    with scripted_server.serve(lambda _: reply) as server:
        (answer,), usage = llm.ask(questions(1), config(server.url), no_check, cache=tmp_path / "c.sqlite")
    assert answer.text == ""
    assert problem in answer.problem
    assert (usage.calls, usage.failed) == (2, 1)


def test_an_answer_without_usage_counts_as_the_most_it_can_be(tmp_path: Path) -> None:
    for usage in (b"", b', "usage": {"prompt_tokens": "7", "completion_tokens": -3}', b', "usage": [1]'):
        content = (
            b'{"choices": [{"message": {"content": "\xea\xb0\x80"}, "finish_reason": "stop"}]' + usage + b"}"
        )
        with scripted_server.serve(lambda _, content=content: Reply(content=content)) as server:  # type: ignore[misc]
            (answer,), _ = llm.ask(questions(1), config(server.url), no_check, cache=tmp_path / "c.sqlite")
        assert answer.text == "가"
        assert answer.prompt_tokens == most_prompt_tokens(questions(1)[0].messages)
        assert answer.completion_tokens == 300


def test_a_bug_in_a_check_is_raised_and_loses_no_answer(tmp_path: Path) -> None:
    def broken(_: Request, __: str) -> str:
        raise ZeroDivisionError

    with scripted_server.serve() as server:
        with pytest.raises(ZeroDivisionError):
            llm.ask(questions(30), config(server.url), broken, cache=tmp_path / "c.sqlite")
        assert len(stored(tmp_path / "c.sqlite")) == server.answered.total() > 0
