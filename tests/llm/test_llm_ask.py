"""Asking, against a real server on this machine: nothing lost, nothing paid twice, limits and budget kept."""

import json
import queue
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import llm_world
import pytest
import scripted_server
from llm_world import Faults, ask_about, check, config, dialogue, no_check, questions, stored
from scripted_server import Call, Reply

from common import llm, prompts
from common.errors import UserError
from common.llm import limits, loopback

COUNT = 499
GOOD = "#Person1#은 시장에서 물건을 사 달라고 하고, #Person2#는 그러겠다고 한다."


def test_every_row_is_answered_in_order_through_all_faults_and_a_second_run_asks_nothing(
    tmp_path: Path,
) -> None:
    script = Faults()
    with scripted_server.serve(script) as server:
        settings = config(server.url, attempts=14)
        answers, usage = llm.ask(questions(COUNT), settings, check(COUNT), cache=tmp_path / "c.sqlite")
        # Not one was asked again after a good answer.
        assert all(
            replies.count("good") == 1 and replies[-1] == "good" for replies in script.replies.values()
        )
        assert len(script.replies) == COUNT
        kinds = Counter(kind for replies in script.replies.values() for kind in replies)
        assert min(kinds[kind] for kind in ("429", "500", "dropped", "broken")) > 5
        assert usage.retries == {kind: count for kind, count in kinds.items() if kind != "good"}
        received = server.received.total()
        again, second = llm.ask(questions(COUNT), settings, check(COUNT), cache=tmp_path / "c.sqlite")
        assert server.received.total() == received
    expected = [loopback.summary(request.messages[-1].content) for request in questions(COUNT)]
    assert [answer.text for answer in answers] == [answer.text for answer in again] == expected
    assert len(set(expected)) > COUNT / 2
    assert (usage.calls, usage.cached, usage.failed) == (COUNT, 0, 0)
    assert (second.calls, second.cached, second.retries, second.cost) == (0, COUNT, {}, 0.0)
    assert not any(answer.cached for answer in answers)
    assert all(answer.cached for answer in again)
    assert usage.prompt_tokens == sum(answer.prompt_tokens for answer in answers) > 0


def test_ten_kills_lose_nothing_and_repeat_only_what_was_under_way(
    tmp_path: Path, start: Callable[..., Any], wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    rng = random.Random(4)
    workers = 8
    with scripted_server.serve(Faults(lose=False)) as server:
        assert start(server.url, COUNT, "whole.sqlite", config={"workers": workers}).wait() == 0
    undisturbed = (tmp_path / "out.json").read_bytes()
    (tmp_path / "out.json").unlink()
    with scripted_server.serve(Faults(lose=False, delay=0.004)) as server:
        for _ in range(10):
            process = start(server.url, COUNT, config={"workers": workers})
            target = server.received.total() + rng.randint(5, 45)
            wait_until(lambda at=target: server.received.total() >= at)  # type: ignore[misc]
            time.sleep(rng.uniform(0, 0.02))
            process.send(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL, process.output()
        wait_until(lambda: server.underway == 0)
        kept = len(stored(tmp_path / "cache.sqlite"))
        assert server.answered.total() - kept <= 10 * workers
        process = start(server.url, COUNT, config={"workers": workers})
        output, errors = process.output()
        assert process.wait() == 0, errors
        assert json.loads(output) == {"calls": COUNT - kept, "cached": kept, "failed": 0}
        assert COUNT <= server.answered.total() <= COUNT + 10 * workers
        assert set(server.answered.values()) <= {1, 2, 3, 4}
    assert (tmp_path / "out.json").read_bytes() == undisturbed


def test_processes_share_a_cache(tmp_path: Path, start: Callable[..., Any]) -> None:
    with scripted_server.serve() as server:
        clients = [start(server.url, 60, out=str(tmp_path / f"{n}.json")) for n in range(3)]
        assert [client.wait() for client in clients] == [0, 0, 0], [client.output() for client in clients]
    assert len({(tmp_path / f"{n}.json").read_bytes() for n in range(3)}) == 1
    assert len(stored(tmp_path / "cache.sqlite")) == 60


def test_two_processes_that_ask_at_once_agree_on_one_answer(tmp_path: Path) -> None:
    # The server answers the same question differently; what was stored first is what both give.
    both = threading.Barrier(2)

    def script(call: Call) -> Reply:
        both.wait(30)
        return Reply(text=f"#Person1#은 {call.times}번째 답을 듣고 기뻐한다.")

    found: queue.SimpleQueue[str] = queue.SimpleQueue()
    with scripted_server.serve(script) as server:

        def one() -> None:
            answers, _ = llm.ask(questions(1), config(server.url), no_check, cache=tmp_path / "c.sqlite")
            found.put(answers[0].text)

        threads = [threading.Thread(target=one) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert server.received.total() == 2
    assert found.get() == found.get() == next(iter(stored(tmp_path / "c.sqlite").values()))


def test_an_interrupt_keeps_what_is_under_way(
    tmp_path: Path, start: Callable[..., Any], wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    with scripted_server.serve(lambda _: Reply(delay=0.1)) as server:
        process = start(server.url, 200, config={"workers": 6})
        wait_until(lambda: server.received.total() >= 20)
        process.send(signal.SIGINT)
        _, errors = process.output()
        assert "KeyboardInterrupt" in errors
        assert 20 <= server.answered.total() <= 40
        assert len(stored(tmp_path / "cache.sqlite")) == server.answered.total() == server.received.total()


def test_an_interrupt_waits_for_the_worker_that_answers_last(
    tmp_path: Path, start: Callable[..., Any], wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    """The first one, which is being waited for when the interrupt comes."""
    with scripted_server.serve(lambda call: Reply(delay=2.0 if call.number == 1 else 0.05)) as server:
        process = start(server.url, 200, config={"workers": 2})
        wait_until(lambda: server.received.total() >= 5)
        process.send(signal.SIGINT)
        process.output()
        assert len(stored(tmp_path / "cache.sqlite")) == server.answered.total() == server.received.total()


@pytest.mark.parametrize(
    ("status", "part"), [(401, "key was refused"), (403, "no credit"), (402, "no credit")]
)
def test_a_refused_key_or_no_credit_stops_every_worker(tmp_path: Path, status: int, part: str) -> None:
    def script(call: Call) -> Reply:
        refuses = call.number > 30
        return Reply(status, content=b'{"error": {"message": "go away"}}') if refuses else Reply(delay=0.01)

    with scripted_server.serve(script) as server:
        settings = config(server.url, workers=8)
        with pytest.raises(UserError, match=rf'({status}).*"go away".*30 of 200 answers are kept') as caught:
            llm.ask(questions(200), settings, check(200), cache=tmp_path / "c.sqlite")
        assert part in str(caught.value)
        assert 31 <= server.received.total() <= 30 + 8
        assert set(server.received.values()) == {1}
    assert len(stored(tmp_path / "c.sqlite")) == 30


@pytest.mark.parametrize("status", [400, 404, 405, 413, 422])
def test_a_wrong_request_stops_with_the_servers_words(tmp_path: Path, status: int) -> None:
    long = "no such model \x1b[31m" + "x" * 5000
    with scripted_server.serve(
        lambda _: Reply(status, content=json.dumps({"detail": long}).encode())
    ) as server:
        with pytest.raises(UserError, match=rf'refused \({status}\).*"no such model \[31mx+…"') as caught:
            llm.ask(questions(50), config(server.url, workers=3), no_check, cache=tmp_path / "c.sqlite")
        assert len(str(caught.value)) < 900
        assert server.received.total() <= 3


def test_a_429_holds_every_worker_back(
    start: Callable[..., Any], wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    def script(call: Call) -> Reply:
        return Reply(429, headers={"Retry-After": "500"}, content=b"{}") if call.number == 20 else Reply()

    with scripted_server.serve(script) as server:
        process = start(server.url, 400, config={"workers": 6, "longest_wait": 500.0})
        wait_until(lambda: server.received.total() >= 20)
        time.sleep(0.5)
        assert server.received.total() <= 20 + 6
        process.send(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, process.output()


def test_no_more_calls_are_under_way_than_workers(tmp_path: Path) -> None:
    with scripted_server.serve(lambda _: Reply(delay=0.02)) as server:
        llm.ask(questions(40), config(server.url, workers=5), no_check, cache=tmp_path / "c.sqlite")
        assert server.busiest == 5


def test_requests_and_tokens_a_minute_are_limited(tmp_path: Path) -> None:
    for settings, sizes in (
        (config("loopback:", requests_per_minute=3), [1, 1, 1, 1]),
        (config("loopback:", tokens_per_minute=1000), [400, 600, 1]),
        (config("loopback:", tokens_per_minute=1000), [5000, 1]),  # more than a minute's worth takes it whole
    ):
        stop = threading.Event()
        pace = limits.Pace(settings, stop)
        for size in sizes[:-1]:
            pace.wait(size)
        outcome: queue.SimpleQueue[str] = queue.SimpleQueue()

        def last(pace: limits.Pace = pace, size: int = sizes[-1], outcome: Any = outcome) -> None:
            try:
                pace.wait(size)
                outcome.put("passed")
            except limits.StoppedError:
                outcome.put("held")

        thread = threading.Thread(target=last)
        thread.start()
        time.sleep(0.2)
        stop.set()
        thread.join()
        assert outcome.get() == "held"


def test_the_budget_stops_before_the_call_that_would_pass_it_and_a_greater_one_goes_on(
    tmp_path: Path,
) -> None:
    prices = {"price_prompt": 1000.0, "price_completion": 1000.0}
    with scripted_server.serve(lambda _: Reply(delay=0.005)) as server:
        one, usage = llm.ask(
            questions(1), config(server.url, **prices, budget=9.0), no_check, cache=tmp_path / "1.sqlite"
        )
        assert usage.cost == pytest.approx((one[0].prompt_tokens + one[0].completion_tokens) / 1000)
        settings = config(server.url, **prices, budget=12.0, workers=8)
        before = server.answered.total()
        with pytest.raises(
            UserError, match=r"budget of \$12.00 is used up.*--budget.*of 60 answers are kept"
        ):
            llm.ask(questions(60), settings, no_check, cache=tmp_path / "c.sqlite")
        made = server.answered.total() - before
        kept = stored(tmp_path / "c.sqlite")
        assert len(kept) == made
        per_call = usage.cost * 1.1  # they differ by a few characters
        most = limits.cost(settings, limits.most_prompt_tokens(questions(1)[0].messages), 300)
        assert made * usage.cost * 0.9 <= 12.0
        assert made >= (12.0 - most) / per_call - 1, "stopped although another call was sure to fit"
        answers, rest = llm.ask(
            questions(60), replace(settings, budget=100.0), no_check, cache=tmp_path / "c.sqlite"
        )
        assert (rest.calls, rest.cached) == (60 - made, made)
        assert server.answered.total() - before == 60
    assert all(answer.text for answer in answers)


def test_answers_that_were_lost_count_against_the_budget(tmp_path: Path) -> None:
    with scripted_server.serve(lambda _: Reply(drop="inside")) as server:
        settings = config(server.url, price_completion=1000.0, budget=1.0, attempts=50, workers=4)
        with pytest.raises(
            UserError, match=r"budget of \$1.00 is used up: \$0.0000 spent, up to \$0.9000 for answers"
        ):
            llm.ask(questions(5), settings, no_check, cache=tmp_path / "c.sqlite")
        assert server.received.total() == 3


def test_an_estimate_sends_nothing_and_bounds_the_cost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scripted_server.serve() as server:
        settings = config(server.url, price_prompt=2.0, price_completion=8.0)
        llm.ask(questions(20), settings, check(20), cache=tmp_path / "c.sqlite")
        asked = server.received.total()
        monkeypatch.delenv("LLM_TEST_KEY")
        expected = llm.estimate(questions(50), settings, cache=tmp_path / "c.sqlite")
        assert server.received.total() == asked
        assert (expected.calls, expected.cached, expected.completion_tokens) == (30, 20, 30 * 300)
        monkeypatch.setenv("LLM_TEST_KEY", llm_world.KEY)
        _, usage = llm.ask(questions(50), settings, check(50), cache=tmp_path / "c.sqlite")
    assert usage.cost <= expected.cost
    assert usage.prompt_tokens <= expected.prompt_tokens
    assert "30 calls to make, 20 answers are cached" in str(expected)
    assert "more than the budget of $0.01" in str(llm.estimate(questions(9), replace(settings, budget=0.01)))
    assert not (tmp_path / ".cache").exists()


def test_the_default_cache_is_in_the_repository(tmp_path: Path) -> None:
    llm.ask(questions(2), config("loopback:"), check(2))
    assert len(stored(tmp_path / ".cache" / "llm.sqlite")) == 2


def test_loopback_needs_no_key_and_its_answers_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LLM_TEST_KEY")
    before = threading.active_count()
    first, _ = llm.ask(questions(9), config("loopback:"), check(9), cache=tmp_path / "c.sqlite")
    assert threading.active_count() == before
    again, usage = llm.ask(questions(9), config("loopback:"), check(9), cache=tmp_path / "c.sqlite")
    assert [a.text for a in first] == [a.text for a in again]
    assert usage.calls == 0


def test_samples_of_one_question_are_answers_of_their_own(tmp_path: Path) -> None:
    asked = [ask_about(dialogue(1), f"row_1/{n}", sample=n % 6) for n in range(9)]
    with scripted_server.serve() as server:
        answers, usage = llm.ask(
            asked, config(server.url, temperature=1.0), check(2), cache=tmp_path / "c.sqlite"
        )
        assert (usage.calls, usage.cached) == (6, 3)
        assert set(server.received.values()) == {6}
    texts = [answer.text for answer in answers]
    assert texts[:3] == texts[6:]
    assert len(set(texts)) > 1


def test_every_setting_that_decides_an_answer_is_part_of_the_cache_key(tmp_path: Path) -> None:
    request = questions(1)[0]
    with scripted_server.serve() as server:
        base = config(server.url)
        variants = [
            base, replace(base, model="tester-2"), replace(base, temperature=0.5), replace(base, frequency_penalty=0.7),
            replace(base, max_tokens=200), replace(base, base_url=server.url.replace("127.0.0.1", "localhost")),
        ]  # fmt: skip
        for number, settings in enumerate(variants, 1):
            llm.ask([request], settings, no_check, cache=tmp_path / "c.sqlite")
            assert server.received.total() == number
        llm.ask([replace(request, sample=1)], base, no_check, cache=tmp_path / "c.sqlite")
        other = replace(request, messages=(*request.messages[:-1], prompts.Message("user", "다른 말")))
        llm.ask([other], base, no_check, cache=tmp_path / "c.sqlite")
        assert server.received.total() == len(variants) + 2
        for harmless in ({"workers": 1}, {"attempts": 2}, {"budget": 1.0}, {"read_timeout": 1.0}):
            llm.ask(
                [replace(request, key="another")],
                replace(base, **harmless),
                no_check,
                cache=tmp_path / "c.sqlite",
            )  # type: ignore[arg-type]
        assert server.received.total() == len(variants) + 2


def test_what_is_sent(tmp_path: Path) -> None:
    seen: list[dict[str, Any]] = []
    with scripted_server.serve(lambda call: seen.append(call.body)) as server:  # type: ignore[func-returns-value]
        llm.ask(questions(1), config(server.url, temperature=0.3), no_check, cache=tmp_path / "c.sqlite")
        assert server.authorizations == {f"Bearer {llm_world.KEY}"}
    (body,) = seen
    assert {name: value for name, value in body.items() if name != "messages"} == {
        "model": "tester-1", "temperature": 0.3, "frequency_penalty": 0.0, "max_tokens": 300, "stream": False,
    }  # fmt: skip
    assert [message["role"] for message in body["messages"]] == ["system", "user"]


# --- answers that fail their check ---


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

        def run(**changes: Any) -> tuple[llm.Answer, llm.Usage]:
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
        assert answer.prompt_tokens == limits.most_prompt_tokens(questions(1)[0].messages)
        assert answer.completion_tokens == 300


def test_a_bug_in_a_check_is_raised_and_loses_no_answer(tmp_path: Path) -> None:
    def broken(_: llm.Request, __: str) -> str:
        raise ZeroDivisionError

    with scripted_server.serve() as server:
        with pytest.raises(ZeroDivisionError):
            llm.ask(questions(30), config(server.url), broken, cache=tmp_path / "c.sqlite")
        assert len(stored(tmp_path / "c.sqlite")) == server.answered.total() > 0


def test_nothing_to_ask(tmp_path: Path) -> None:
    answers, usage = llm.ask([], config("loopback:"), no_check, cache=tmp_path / "c.sqlite")
    assert (answers, usage.calls, usage.cached) == ([], 0, 0)
