"""The workers of one run: they share its limits, its budget and its end."""

import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_when_event_set,
    wait_random_exponential,
)
from tenacity.nap import sleep_using_event

from common.errors import UserError
from common.files import shown
from common.llm import cache as caching
from common.llm import limits, transport
from common.llm.cache import Cache, Stored
from common.llm.checks import Check
from common.llm.config import LLMConfig, Request
from common.llm.conversation import conversation
from common.llm.limits import StoppedError
from common.llm.results import Answer
from common.llm.transport import Line, Target, TransientError
from common.prompts import Message

log = logging.getLogger(__name__)
_NEWS = 30.0  # seconds between two lines of progress
_FIRST_WAIT = 1.0  # seconds: the first back-off is up to so long, each later one up to twice the last


@dataclass
class Run:
    """What the workers of one `ask` share."""

    config: LLMConfig
    target: Target
    check: Check
    cache: Cache
    stop: threading.Event
    pace: limits.Pace
    purse: limits.Purse
    answers: dict[int, Answer] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    retries: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    error: BaseException | None = None
    unanswered: list[str] = field(default_factory=list)
    """Why calls were given up although the server answers others."""
    given_up: int = 0
    """Calls given up since the last that was answered."""

    def fail(self, error: BaseException) -> None:
        """Stop every worker; the first reason is the one that counts."""
        with self.lock:
            if self.error is None:
                self.error = error
                log.info("stopping; answers under way are still waited for, as they are paid for")
        self.stop.set()


def work_off(run: Run, requests: Sequence[Request], jobs: Sequence[Sequence[int]]) -> None:
    """Answer the jobs' requests. Raises what stopped the run, with what was kept."""
    waiting: queue.SimpleQueue[Sequence[int]] = queue.SimpleQueue()
    for job in jobs:
        waiting.put(job)
    log.info("%d of %d requests to ask", sum(map(len, jobs)), len(requests))
    # Not Thread.join: interrupted, it takes the thread for ended (Python 3.11), and what that answers last is lost.
    ends = [threading.Event() for _ in range(min(run.config.workers, len(jobs)))]
    begun: list[threading.Event] = []
    try:
        for end in ends:
            begun.append(end)
            threading.Thread(target=_worker, args=(run, requests, waiting, end), daemon=True).start()
        _follow(run, ends, len(requests))
    except KeyboardInterrupt:
        run.stop.set()
        log.info(
            "interrupted; answers under way are still waited for, as they are paid for (Ctrl-C again leaves at once)"
        )
        for end in begun:
            end.wait()
        raise
    kept = (
        f"{len(run.answers)} of {len(requests)} answers are kept in {shown(run.cache.path)}; "
        "the same command goes on from there."
    )
    if isinstance(run.error, UserError):
        raise UserError(f"{run.error} {kept}") from None
    if run.error:
        raise run.error
    if run.unanswered:
        raise UserError(
            f"llm: {run.target.url}: {len(run.unanswered)} of {len(requests)} requests got no answer in "
            f"{run.config.attempts} attempts each, while others did (the last reason: {run.unanswered[-1]}). {kept}"
        )


def _follow(run: Run, ends: Sequence[threading.Event], total: int) -> None:
    """Return when all workers have ended; a line of progress now and then."""
    told = time.monotonic()
    for end in ends:
        while not end.wait(timeout=1.0):
            if time.monotonic() - told > _NEWS:
                told = time.monotonic()
                log.info("%d of %d answered, $%.4f", len(run.answers), total, run.purse.spent)


def _worker(
    run: Run, requests: Sequence[Request], waiting: "queue.SimpleQueue[Sequence[int]]", end: threading.Event
) -> None:
    try:
        with transport.open_line(run.target) as line:
            while not run.stop.is_set():
                try:
                    job = waiting.get_nowait()
                except queue.Empty:
                    return
                _work(run, line, requests, job)
    except StoppedError:
        return
    except BaseException as error:  # raised again by the thread that asked
        run.fail(error)
    finally:
        end.set()


def _work(run: Run, line: Line, requests: Sequence[Request], job: Sequence[int]) -> None:
    try:
        # What an earlier run recorded as failed begins anew, and what that brings takes its place; others that ask the
        # same take it from the cache.
        anew = job[0] in run.answers
        for place in job:
            _answer(run, line, requests[place], place, anew=anew and place == job[0])
    except TransientError as error:
        _give_up(run, error)


def _answer(run: Run, line: Line, request: Request, place: int, *, anew: bool) -> None:
    """Fill in the answer to one request, with as many calls as it takes; `anew`: what the cache holds is replaced."""
    called = False

    def fetch(messages: Sequence[Message], again: bool) -> Stored:
        nonlocal called
        key = caching.request_hash(run.config, messages, request.sample)
        found = None if anew else run.cache.get(key)
        if found is None:
            called = True
            found = _called(run, line, messages, key, replaces=anew)
        return found

    answer = conversation(request, run.check, fetch)
    assert answer is not None
    with run.lock:
        run.answers[place] = replace(answer, cached=not called)


def _give_up(run: Run, error: TransientError) -> None:
    """Note a call that no attempt could mend; stop the run when the server seems to answer nothing."""
    with run.lock:
        run.given_up += 1
        dead = run.given_up > 1 or not run.calls
        run.unanswered.append(str(error))
    if dead:
        run.fail(
            UserError(
                f"llm: {run.target.url}: no answer in {run.config.attempts} attempts; the last reason: {error}. "
                "Check the network and base_url."
            )
        )


# --- one call ---


def _called(run: Run, line: Line, messages: Sequence[Message], key: str, *, replaces: bool) -> Stored:
    """The endpoint's answer, committed. Raises TransientError when no attempt brought one, StoppedError, UserError."""

    def attempt() -> Stored:
        answer = _attempt(run, line, messages)
        kept = run.cache.put(key, answer, replace=replaces)
        with run.lock:
            run.calls += 1
            run.given_up = 0
            run.prompt_tokens += answer.prompt_tokens
            run.completion_tokens += answer.completion_tokens
        return kept

    def again(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        assert isinstance(error, TransientError)
        assert state.next_action
        with run.lock:
            run.retries[error.reason] += 1
        if error.reason == "429" or error.wait:
            run.pace.pause(state.next_action.sleep)

    stored: Stored = Retrying(
        retry=retry_if_exception_type(TransientError),
        stop=stop_after_attempt(run.config.attempts) | stop_when_event_set(run.stop),
        wait=lambda state: _delay(state, run.config.longest_wait),
        sleep=sleep_using_event(run.stop),
        before_sleep=again,
        reraise=True,
    )(attempt)
    return stored


def _delay(state: RetryCallState, longest: float) -> float:
    """Seconds until the next attempt: exponential back-off with full jitter, or what the server asked for if that is
    longer; never more than the longest."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.wait if isinstance(error, TransientError) else 0.0
    return min(longest, max(asked, wait_random_exponential(multiplier=_FIRST_WAIT, max=longest)(state)))


def _attempt(run: Run, line: Line, messages: Sequence[Message]) -> Stored:
    """One call within the limits and the budget; its tokens are the server's count, else the most there can be."""
    if run.stop.is_set():
        raise StoppedError
    config = run.config
    prompt = limits.most_prompt_tokens(messages)
    most = limits.cost(config, prompt, config.max_tokens)
    run.purse.reserve(most)
    spent = lost = 0.0
    try:
        run.pace.wait(limits.likely_prompt_tokens(messages) + config.max_tokens)
        answer = transport.post(line, run.target, caching.body(config, messages), config)
        answer = replace(
            answer,
            prompt_tokens=prompt if answer.prompt_tokens < 0 else answer.prompt_tokens,
            completion_tokens=config.max_tokens if answer.completion_tokens < 0 else answer.completion_tokens,
        )
        spent = limits.cost(config, answer.prompt_tokens, answer.completion_tokens)
        return answer
    except TransientError as error:
        if error.charged:
            lost = most
        if error.reason == "unknown host" and not run.calls:
            raise UserError(
                f"llm: {run.target.url}: there is no such host; check base_url and the network."
            ) from None
        raise
    finally:
        run.purse.settle(most, spent, lost)
