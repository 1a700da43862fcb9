"""Refusals, rates and budgets: every worker stops or waits, and no call passes the budget."""

import json
import queue
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from common import llm
from common.core.errors import UserError
from common.llm import limits
from common.llm.limits import RateLimits, StoppedError, most_prompt_tokens
from tests.support import scripted_server
from tests.support.llm_world import check, config, no_check, questions, stored
from tests.support.scripted_server import Call, Reply


@pytest.mark.parametrize(
    ("status", "part"),
    [(401, "key was refused"), (403, "may not do that"), (402, "credit of this key is used up")],
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
        if call.number == 20:
            return Reply(429, headers={"Retry-After": "500"}, content=b"{}")
        # The others wait long enough for the 429 to be read, on a busy machine too.
        return Reply(delay=0.3 if call.number > 20 else 0.0)

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
        pace = RateLimits(settings, stop)
        for size in sizes[:-1]:
            pace.wait(size)
        outcome: queue.SimpleQueue[str] = queue.SimpleQueue()

        def last(pace: RateLimits = pace, size: int = sizes[-1], outcome: Any = outcome) -> None:
            try:
                pace.wait(size)
                outcome.put("passed")
            except StoppedError:
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
        most = limits.cost(settings, most_prompt_tokens(questions(1)[0].messages), 300)
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
