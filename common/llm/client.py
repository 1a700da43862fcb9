"""Answer requests from the cache, and ask the endpoint for the others."""

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from common.core.errors import UserError
from common.llm import limits, loopback
from common.llm.cache import Cache, Stored, default_path, request_hash
from common.llm.checks import Check
from common.llm.config import LOOPBACK, LLMConfig, Request, endpoint, is_loopback, require_valid
from common.llm.conversation import conversation
from common.llm.keys import read_key
from common.llm.limits import Budget, RateLimits, likely_prompt_tokens, most_prompt_tokens
from common.llm.parameters import require_sendable
from common.llm.refusals import Target
from common.llm.results import Answer, Estimate, Usage
from common.llm.workers import SharedState, answer_all
from common.prompts import Message

log = logging.getLogger(__name__)
ROOM = 1 << 15
"""Bytes that each worker's answer may take on the disk."""


def ask(
    requests: Sequence[Request], config: LLMConfig, check: Check, *, cache: Path | None = None
) -> tuple[list[Answer], Usage]:
    """Return an answer to every request, in order, and the usage of this run.

    Cached answers are not requested again. A new answer is committed to the cache as soon as it arrives, so the same
    call resumes after a kill. If an answer fails `check`, the question is asked once more with the fault named. A second
    failure is final (text "" and its problem) unless `config.retry_failed` is set.
    Raises UserError for an invalid setting, a missing key, an exhausted budget, a server that refuses or cannot be
    reached, and a cache that cannot be written; the answers paid for until then are kept.
    """
    _require_valid(config)
    began = time.monotonic()
    store = Cache(cache or default_path())
    stop = threading.Event()
    pace = RateLimits(config, stop)
    shared = SharedState(config, Target("", ""), check, store, stop, pace, Budget(config, stop))
    try:
        jobs = _answer_from_cache(shared, requests)
        if jobs:
            with store.room(config.workers * ROOM), _target(config) as shared.target:
                _warn_of_prices(shared)
                answer_all(shared, requests, jobs)
    finally:
        usage = _usage(shared, time.monotonic() - began)
        log.info("%s", usage)
        store.close()
    return [shared.answers[place] for place in range(len(requests))], usage


def require_ready(config: LLMConfig) -> None:
    """Raise UserError if a setting is invalid or the key is missing."""
    _require_valid(config)
    _key(config)


def estimate(requests: Sequence[Request], config: LLMConfig, *, cache: Path | None = None) -> Estimate:
    """Return what `ask` would do and cost, computed from the cache and the texts: nothing is sent, no key is needed.

    Raises UserError for an invalid setting and a damaged cache.
    """
    _require_valid(config)
    path = cache or default_path()
    hashes = {request_hash(config, r.messages, r.sample): r for r in requests}
    found: dict[str, Stored] = {}
    if path.exists():
        store = Cache(path)
        try:
            found = store.get_all(hashes)
        finally:
            store.close()
    new = [request for key, request in hashes.items() if key not in found]
    most = sum(most_prompt_tokens(request.messages) for request in new)
    completion = len(new) * config.max_tokens
    return Estimate(
        calls=len(new),
        cached=len(requests) - len(new),
        prompt_tokens=sum(likely_prompt_tokens(request.messages) for request in new),
        completion_tokens=completion,
        cost=limits.cost(config, most, completion),
        budget=config.budget,
    )


def _require_valid(config: LLMConfig) -> None:
    require_valid(config)
    require_sendable(config.max_tokens_name, config.extra)


def _key(config: LLMConfig) -> str:
    key = read_key(config)
    if key and key in config.extra:
        raise UserError("llm: extra contains the API key, which is sent as a header and is never a setting.")
    return key


@contextmanager
def _target(config: LLMConfig) -> Iterator[Target]:
    """Yield the target of the calls; for "loopback:" a server that runs as long as the context."""
    if config.base_url.strip() != LOOPBACK:
        yield Target(endpoint(config), _key(config))
        return
    with loopback.serve() as server:
        yield Target(endpoint(replace(config, base_url=server.url)), "")


def _warn_of_prices(shared: SharedState) -> None:
    if not (shared.config.price_prompt or shared.config.price_completion or is_loopback(shared.target.url)):
        log.warning("the prices are 0, so the budget limits nothing: set price_prompt and price_completion")


def _answer_from_cache(shared: SharedState, requests: Sequence[Request]) -> list[list[int]]:
    """Store the cached answers; return the positions of the other requests, grouped by equal requests."""
    hashes = [request_hash(shared.config, request.messages, request.sample) for request in requests]
    known = shared.cache.get_all(dict.fromkeys(hashes))
    groups: dict[str, list[int]] = defaultdict(list)
    for place, (key, request) in enumerate(zip(hashes, requests, strict=True)):

        def fetch(
            messages: Sequence[Message], again: bool, key: str = key, sample: int = request.sample
        ) -> Stored | None:
            return (
                shared.cache.get(request_hash(shared.config, messages, sample)) if again else known.get(key)
            )

        answer = conversation(request, shared.check, fetch)
        if answer is None or (answer.problem and shared.config.retry_failed):
            groups[key].append(place)
        if answer is not None:
            shared.answers[place] = answer
    return list(groups.values())


def _usage(shared: SharedState, seconds: float) -> Usage:
    answers = list(shared.answers.values())
    return Usage(
        calls=shared.calls,
        cached=sum(answer.cached for answer in answers),
        retries=dict(shared.retries),
        failed=sum(bool(answer.problem) for answer in answers),
        prompt_tokens=shared.prompt_tokens,
        completion_tokens=shared.completion_tokens,
        cost=shared.budget.spent,
        lost_cost=shared.budget.lost,
        seconds=seconds,
    )
