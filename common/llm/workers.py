"""Run the workers that answer requests: they share limits and budget, and an error of one stops all."""

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

from common.core.errors import UserError
from common.core.files import shown
from common.core.signals import Interrupted
from common.llm import limits, transport
from common.llm.cache import Cache, Stored, body, request_hash
from common.llm.checks import Check
from common.llm.config import LLMConfig, Request
from common.llm.conversation import conversation
from common.llm.endings import ending
from common.llm.limits import Budget, RateLimits, StoppedError, likely_prompt_tokens, most_prompt_tokens
from common.llm.refusals import Target, TransientError, advice
from common.llm.results import Answer
from common.llm.transport import Connection, open_connection
from common.prompts import Message

log = logging.getLogger(__name__)
_LOG_INTERVAL = 30.0  # seconds between two log lines about progress
_FIRST_WAIT = 1.0  # seconds: upper bound of the first back-off; each later bound is twice the one before


@dataclass
class SharedState:
    """The state that the workers of one `ask` share."""

    config: LLMConfig
    target: Target
    check: Check
    cache: Cache
    stop: threading.Event
    pace: RateLimits
    budget: Budget
    answers: dict[int, Answer] = field(default_factory=dict)
    """Answers by the position of their request."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    retries: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    error: BaseException | None = None
    unanswered: list[str] = field(default_factory=list)
    """Reasons of the requests that were given up while the server answered others."""
    given_up: int = 0
    """Number of requests given up since the last successful call."""
    unknown_endings: set[str] = field(default_factory=set)
    """Each finish_reason that `endings.ending` does not know."""

    def fail(self, error: BaseException) -> None:
        """Stop every worker; only the first error is kept."""
        with self.lock:
            if self.error is None:
                self.error = error
                log.info("stopping; waiting for the answers in flight, because they are paid for")
        self.stop.set()


def answer_all(shared: SharedState, requests: Sequence[Request], jobs: Sequence[Sequence[int]]) -> None:
    """Answer the requests of all jobs; a job lists the positions of equal requests.

    Raises the error that stopped the workers; its message says how many answers are kept.
    """
    waiting: queue.SimpleQueue[Sequence[int]] = queue.SimpleQueue()
    for job in jobs:
        waiting.put(job)
    log.info("%d of %d requests to ask", sum(map(len, jobs)), len(requests))
    # Events instead of Thread.join: an interrupted join marks the thread as ended (Python 3.11), and its last answer is
    # lost.
    ends = [threading.Event() for _ in range(min(shared.config.workers, len(jobs)))]
    begun: list[threading.Event] = []
    try:
        for end in ends:
            begun.append(end)
            threading.Thread(target=_worker, args=(shared, requests, waiting, end), daemon=True).start()
        _follow(shared, ends, len(requests))
    except (KeyboardInterrupt, Interrupted):
        shared.stop.set()
        log.info(
            "interrupted; waiting for the answers in flight, because they are paid for (press Ctrl-C again to leave at once)"
        )
        for end in begun:
            end.wait()
        raise
    kept = (
        f"{len(shared.answers)} of {len(requests)} answers are kept in {shown(shared.cache.path)}; "
        "run the same command again to resume."
    )
    if isinstance(shared.error, UserError):
        raise UserError(f"{shared.error} {kept}") from None
    if shared.error:
        raise shared.error
    if shared.unanswered:
        raise UserError(
            f"llm: {shared.target.url}: {len(shared.unanswered)} of {len(requests)} requests got no answer in "
            f"{shared.config.attempts} attempts each, while others did (the last reason: {shared.unanswered[-1]}). {kept}"
        )


def _follow(shared: SharedState, ends: Sequence[threading.Event], total: int) -> None:
    """Log the progress at intervals until all workers have ended."""
    logged = time.monotonic()
    for end in ends:
        while not end.wait(timeout=1.0):
            if time.monotonic() - logged > _LOG_INTERVAL:
                logged = time.monotonic()
                log.info("%d of %d answered, $%.4f", len(shared.answers), total, shared.budget.spent)


def _worker(
    shared: SharedState,
    requests: Sequence[Request],
    waiting: "queue.SimpleQueue[Sequence[int]]",
    end: threading.Event,
) -> None:
    try:
        with open_connection(shared.target) as connection:
            while not shared.stop.is_set():
                try:
                    job = waiting.get_nowait()
                except queue.Empty:
                    return
                _work(shared, connection, requests, job)
    except StoppedError:
        return
    except BaseException as error:  # `answer_all` raises it again in the caller's thread
        shared.fail(error)
    finally:
        end.set()


def _work(
    shared: SharedState, connection: Connection, requests: Sequence[Request], job: Sequence[int]
) -> None:
    try:
        # An answer here means that an earlier run recorded a failure: ask again and replace it in the cache. The equal
        # requests of the job then find the new answer there.
        retry = job[0] in shared.answers
        for place in job:
            _answer(shared, connection, requests[place], place, ignore_cache=retry and place == job[0])
    except TransientError as error:
        _give_up(shared, error)


def _answer(
    shared: SharedState, connection: Connection, request: Request, place: int, *, ignore_cache: bool
) -> None:
    """Store the answer to one request, with as many calls as it needs; `ignore_cache` replaces cached answers."""
    called = False

    def fetch(messages: Sequence[Message], again: bool) -> Stored:
        nonlocal called
        key = request_hash(shared.config, messages, request.sample)
        found = None if ignore_cache else shared.cache.get(key)
        if found is None:
            called = True
            found = _call(shared, connection, messages, key, replaces=ignore_cache)
        return found

    answer = conversation(request, shared.check, fetch)
    assert answer is not None
    with shared.lock:
        shared.answers[place] = replace(answer, cached=not called)


def _give_up(shared: SharedState, error: TransientError) -> None:
    """Record a request that no attempt answered; stop the workers when the server seems to answer nothing."""
    with shared.lock:
        shared.given_up += 1
        dead = shared.given_up > 1 or not shared.calls
        shared.unanswered.append(str(error))
    if dead:
        shared.fail(
            UserError(
                f"llm: {shared.target.url}: no answer in {shared.config.attempts} attempts; the last reason: {error}. "
                f"{advice(error.reason)}"
            )
        )


# --- one call ---


def _call(
    shared: SharedState, connection: Connection, messages: Sequence[Message], key: str, *, replaces: bool
) -> Stored:
    """Return the endpoint's answer after committing it to the cache.

    Raises TransientError when no attempt brought an answer, StoppedError and UserError.
    """

    def attempt() -> Stored:
        answer = _attempt(shared, connection, messages)
        kept = shared.cache.put(key, answer, replace=replaces)
        with shared.lock:
            shared.calls += 1
            shared.given_up = 0
            shared.prompt_tokens += answer.prompt_tokens
            shared.completion_tokens += answer.completion_tokens
            new = ending(answer.finish) == "unknown" and answer.finish not in shared.unknown_endings
            shared.unknown_endings.add(answer.finish)
        if new:
            log.warning(
                "finish_reason %r is not known; such answers count as complete: look at the first ones",
                answer.finish,
            )
        return kept

    def again(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        assert isinstance(error, TransientError)
        assert state.next_action
        with shared.lock:
            shared.retries[error.reason] += 1
        if error.reason == "429" or error.wait:
            shared.pace.pause(state.next_action.sleep)

    stored: Stored = Retrying(
        retry=retry_if_exception_type(TransientError),
        stop=stop_after_attempt(shared.config.attempts) | stop_when_event_set(shared.stop),
        wait=lambda state: _delay(state, shared.config.longest_wait),
        sleep=sleep_using_event(shared.stop),
        before_sleep=again,
        reraise=True,
    )(attempt)
    return stored


def _delay(state: RetryCallState, longest: float) -> float:
    """Return the seconds until the next attempt, at most `longest`: exponential back-off with full jitter, or what the
    server asked for if that is longer."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.wait if isinstance(error, TransientError) else 0.0
    return min(longest, max(asked, wait_random_exponential(multiplier=_FIRST_WAIT, max=longest)(state)))


def _attempt(shared: SharedState, connection: Connection, messages: Sequence[Message]) -> Stored:
    """Make one call within the limits and the budget.

    A token count that the server did not send is replaced by the largest possible one.
    """
    if shared.stop.is_set():
        raise StoppedError
    shared.cache.require_room()
    config = shared.config
    prompt = most_prompt_tokens(messages)
    most = limits.cost(config, prompt, config.max_tokens)
    shared.budget.reserve(most)
    spent = lost = 0.0
    try:
        shared.pace.wait(likely_prompt_tokens(messages) + config.max_tokens)
        answer = transport.post(connection, shared.target, body(config, messages), config)
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
        if error.reason == "unknown host" and not shared.calls:
            raise UserError(
                f"llm: {shared.target.url}: there is no such host. {advice(error.reason)}"
            ) from None
        raise
    finally:
        shared.budget.settle(most, spent, lost)
