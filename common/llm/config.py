"""Define the settings of an endpoint and the requests it gets, and check them."""

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from annotated_types import Ge, Gt, Le

from common.core.config import check
from common.core.errors import UserError
from common.llm.parameters import OptionalParameter, require_sendable
from common.prompts import Message

LOOPBACK = "loopback:"
"""The base_url that starts `common.llm.loopback` for the duration of one `ask`."""


@dataclass(frozen=True)
class LLMConfig:
    """An OpenAI-compatible endpoint, its limits and the budget of a run."""

    base_url: str = "https://api.upstage.ai/v1"
    """URL of an OpenAI-compatible endpoint, without "/chat/completions"; "loopback:" starts a local server for smoke
    runs."""
    model: str = ""
    """The endpoint's name for the model; a dated snapshot makes results reproducible."""
    key_name: str = "SOLAR_API_KEY"
    """Name of the environment variable, or of the entry in the repository's .env file, that holds the key; "" sends no
    key. Never the key itself."""
    temperature: Annotated[float, Ge(0), Le(2)] = 0.3
    """Sampling temperature; 0 makes answers repeatable as far as the server supports it."""
    frequency_penalty: Annotated[float, Ge(-2), Le(2)] = 0.0
    """Always sent, because Solar's default of 1.1 makes summaries avoid the dialogue's words."""
    max_tokens: Annotated[int, Ge(1), Le(1_000_000)] = 300
    """Maximum number of tokens of an answer; one that reaches it counts as cut off."""
    max_tokens_name: str = "max_tokens"
    """The endpoint's name for the parameter max_tokens; models that reason want "max_completion_tokens"."""
    leave_out: tuple[OptionalParameter, ...] = ()
    """Parameters that are not sent because the model refuses them: temperature, frequency_penalty, stream."""
    extra: str = ""
    """Further parameters as a JSON object, such as {"reasoning_effort": "low"}; never a secret."""
    workers: Annotated[int, Ge(1), Le(1000)] = 16
    """Maximum number of calls in flight at once."""
    requests_per_minute: Annotated[int, Ge(1), Le(1_000_000)] = 100
    """Maximum number of calls a minute; Solar's first tier allows 100."""
    tokens_per_minute: Annotated[int, Ge(1), Le(10**9)] = 250_000
    """Maximum number of tokens of prompts and answers a minute; Solar's first tier allows 250,000."""
    connect_timeout: Annotated[float, Gt(0), Le(3600)] = 10.0
    """Seconds within which the server must accept the connection."""
    read_timeout: Annotated[float, Gt(0), Le(86_400)] = 120.0
    """Seconds from then within which the whole answer must arrive."""
    attempts: Annotated[int, Ge(1), Le(1000)] = 8
    """Maximum number of attempts of one call, the first included."""
    longest_wait: Annotated[float, Ge(0), Le(86_400)] = 60.0
    """Maximum number of seconds between two attempts, even if the server's Retry-After asks for more."""
    price_prompt: Annotated[float, Ge(0), Le(1_000_000)] = 0.0
    """US dollars per million prompt tokens."""
    price_completion: Annotated[float, Ge(0), Le(1_000_000)] = 0.0
    """US dollars per million completion tokens."""
    budget: Annotated[float, Ge(0), Le(1_000_000)] = 5.0
    """US dollars that one run may spend; a call that could exceed it is not made."""
    retry_failed: bool = False
    """Whether to ask again the questions whose answers failed in an earlier run."""

    def require_consistent(self) -> None:
        """Raise UserError for a key in place of its name, and as `require_sendable` and `endpoint` do."""
        key_variable(self)
        require_sendable(self.max_tokens_name, self.extra)
        endpoint(self)


@dataclass(frozen=True)
class Request:
    """One question to the endpoint."""

    key: str
    """The caller's name for the request, such as a row's id; neither sent nor part of the cache key."""
    messages: tuple[Message, ...]
    sample: int = 0
    """Number of the sample among several of the same question; part of the cache key, not sent."""


def key_variable(config: LLMConfig) -> str:
    """Return the name of the variable that holds the key; "" when none is sent.

    Raises UserError for a text that is not such a name: it may be the key itself, so the message does not quote it.
    """
    name = config.key_name.strip()
    if name and not re.fullmatch("[A-Z_][A-Z0-9_]{0,63}", name):
        raise UserError(
            "llm: key_name is not the name of an environment variable (capital letters, digits, underscores; for example "
            "SOLAR_API_KEY); it must never be the key itself."
        )
    return name


def is_loopback(url: str) -> bool:
    """Return whether a URL's host is this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _split(url: str) -> SplitResult:
    """Return the parts of a base URL. Raises ValueError with the reason if it is invalid."""
    if any(not letter.isprintable() or letter.isspace() for letter in url):
        raise ValueError("it contains a space or a control character")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise ValueError("it does not start with https://")
    if not parts.hostname:
        raise ValueError("it has no host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a name or password in it would be logged; put keys into the environment")
    if parts.query or parts.fragment:
        raise ValueError("it has a query or a fragment")
    if parts.port == 0:
        raise ValueError("its port is 0")
    return parts


def endpoint(config: LLMConfig) -> str:
    """Return the URL that requests are posted to; it is part of the cache key.

    Raises UserError for an invalid base_url, and for plain http to another machine, which would expose the key.
    """
    return _endpoint(config.base_url.strip())


@lru_cache(maxsize=8)  # every call needs it
def _endpoint(base: str) -> str:
    if base == LOOPBACK:
        return f"{LOOPBACK}/chat/completions"
    try:
        parts = _split(base)
        path = parts.path.rstrip("/")
        if path.endswith("/chat/completions"):
            raise ValueError("leave out /chat/completions")
    except ValueError as error:
        # The URL may contain a password, and the text may be a key.
        shown = f" {base!r:.60}" if "://" in base and not set(base) & set("@?#") else ""
        raise UserError(
            f"llm: base_url{shown} cannot be used ({error}); wanted the endpoint up to its version, for example "
            "--base-url https://api.upstage.ai/v1"
        ) from None
    if parts.scheme == "http" and not is_loopback(base):
        raise UserError(
            f"llm: base_url {base!r} is plain http to another machine, so anyone on the network could read the key; "
            "use https://."
        )
    return f"{parts.scheme}://{parts.netloc}{path}/chat/completions"


def require_valid(config: LLMConfig) -> None:
    """Raise UserError if a setting is out of range, no model is set, or `endpoint` raises it."""
    check(config)
    if not config.model.strip() and config.base_url.strip() != LOOPBACK:
        raise UserError("llm: no model is set; set llm.model in the experiment's config.py, or give --model.")
