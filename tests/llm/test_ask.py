"""Asking a real server on this machine: nothing is lost through faults, kills and interrupts, nothing paid twice."""

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

import pytest

from common import llm
from common.llm import loopback
from common.prompts import Message
from tests.support import llm_world, scripted_server
from tests.support.llm_world import Faults, ask_about, check, config, dialogue, no_check, questions, stored
from tests.support.scripted_server import Call, Reply

COUNT = 499


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


@pytest.mark.parametrize(
    ("number", "stage", "error"),
    [
        (signal.SIGINT, False, "KeyboardInterrupt"),
        (signal.SIGINT, True, "Interrupted: interrupted by SIGINT"),
        (signal.SIGTERM, True, "Interrupted: interrupted by SIGTERM"),
    ],
)
def test_an_interrupt_keeps_what_is_under_way(
    tmp_path: Path, start: Callable[..., Any], wait_until: Callable[[Callable[[], bool]], None],
    number: signal.Signals, stage: bool, error: str,
) -> None:  # fmt: skip
    with scripted_server.serve(lambda _: Reply(delay=0.1)) as server:
        process = start(server.url, 200, config={"workers": 6}, stage=stage)
        wait_until(lambda: server.received.total() >= 20)
        process.send(number)
        _, errors = process.output()
        assert error in errors
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
        other = replace(request, messages=(*request.messages[:-1], Message("user", "다른 말")))
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


def test_nothing_to_ask(tmp_path: Path) -> None:
    answers, usage = llm.ask([], config("loopback:"), no_check, cache=tmp_path / "c.sqlite")
    assert (answers, usage.calls, usage.cached) == ([], 0, 0)
