"""How an endpoint is asked, and what is asked of it."""

import ipaddress
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

from common.errors import UserError
from common.prompts import Message

LOOPBACK = "loopback:"
"""The base_url that starts `common.llm.loopback` for the length of a call."""


@dataclass(frozen=True)
class LLMConfig:
    """An OpenAI-compatible endpoint, its limits, and what a run may cost."""

    base_url: str = "https://api.upstage.ai/v1"
    """Any OpenAI-compatible endpoint, up to but without "/chat/completions"; "loopback:" starts a small server of our
    own for the call, for smoke runs."""
    model: str = ""
    """The endpoint's name for the model: a dated snapshot, so that results can be made again."""
    key_name: str = "SOLAR_API_KEY"
    """The environment variable, or line of .env in the repository's folder, that holds the key; "" sends no key.
    Never a key itself."""
    temperature: float = 0.3
    """0 answers the same question alike, as far as the server can."""
    frequency_penalty: float = 0.0
    """Always sent: Solar's own default is 1.1, which drives a summary away from the dialogue's words."""
    max_tokens: int = 300
    """Most tokens of one answer; an answer that reaches them counts as cut off."""
    workers: int = 16
    """Calls that may be under way at once."""
    requests_per_minute: int = 100
    """Solar's first tier allows 100."""
    tokens_per_minute: int = 250_000
    """Of prompts and answers together; Solar's first tier allows 250,000."""
    connect_timeout: float = 10.0
    """Seconds until the server must have taken the connection."""
    read_timeout: float = 120.0
    """Seconds from there until the whole answer must have arrived, however slowly it drips."""
    attempts: int = 8
    """Of one call, the first included."""
    longest_wait: float = 60.0
    """Most seconds between two attempts, whatever the server's Retry-After says."""
    price_prompt: float = 0.0
    """US dollars for a million prompt tokens."""
    price_completion: float = 0.0
    """US dollars for a million tokens of answers."""
    budget: float = 5.0
    """US dollars that one run may spend; the call that could pass it is not made."""
    retry_failed: bool = False
    """Ask again what an earlier run recorded as failed."""


@dataclass(frozen=True)
class Request:
    """One question."""

    key: str
    """The caller's name for it (a row's id, …): neither sent nor part of the cache's key."""
    messages: tuple[Message, ...]
    sample: int = 0
    """Which of several samples of the same question: part of the cache's key, not sent."""


def is_loopback(url: str) -> bool:
    """Whether a URL stays on this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _split(url: str) -> SplitResult:
    """The parts of a URL with a host and a possible port. Raises ValueError saying what is wrong."""
    if any(not letter.isprintable() or letter.isspace() for letter in url):
        raise ValueError("it holds a space or a control character")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise ValueError("it does not begin with https://")
    if not parts.hostname:
        raise ValueError("it names no host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a name or password in it would be logged; keys belong into the environment")
    if parts.query or parts.fragment:
        raise ValueError("nothing may follow its path")
    if parts.port == 0:
        raise ValueError("its port is 0")
    return parts


def endpoint(config: LLMConfig) -> str:
    """The URL that questions are posted to; it is part of the cache's key.

    Raises UserError for a base_url that is none, and for plain http to another machine: it would show the key.
    """
    return _endpoint(config.base_url.strip())


@lru_cache(maxsize=8)  # every call asks for it
def _endpoint(base: str) -> str:
    if base == LOOPBACK:
        return f"{LOOPBACK}/chat/completions"
    try:
        parts = _split(base)
        path = parts.path.rstrip("/")
        if path.endswith("/chat/completions"):
            raise ValueError("leave /chat/completions out")
    except ValueError as error:
        # A password in the URL must not be shown.
        shown = "" if "@" in base else f" {base!r}"
        raise UserError(
            f"llm: base_url{shown} cannot be used ({error}); wanted the endpoint up to its version, as in "
            "--base-url https://api.upstage.ai/v1"
        ) from None
    if parts.scheme == "http" and not is_loopback(base):
        raise UserError(
            f"llm: base_url {base!r} is plain http to another machine, so that anyone on the way can read the key; "
            "use https:// there."
        )
    return f"{parts.scheme}://{parts.netloc}{path}/chat/completions"


def require_valid(config: LLMConfig) -> None:
    """Raises UserError when a setting is out of its range, and as `endpoint` does."""
    endpoint(config)
    if not config.model.strip() and config.base_url.strip() != LOOPBACK:
        raise UserError(
            "llm: no model is set; pin one in the experiment's config.py, or name it with --model."
        )
    for name in ("workers", "attempts", "requests_per_minute", "tokens_per_minute", "max_tokens"):
        if getattr(config, name) < 1:
            raise UserError(f"llm: {name} is {getattr(config, name)}; it must be 1 or more.")
    for name in ("connect_timeout", "read_timeout"):
        if getattr(config, name) <= 0:
            raise UserError(f"llm: {name} is {getattr(config, name)}; it must be more than 0 seconds.")
    for name in ("temperature", "longest_wait", "price_prompt", "price_completion", "budget"):
        if getattr(config, name) < 0:
            raise UserError(f"llm: {name} is {getattr(config, name)}; it must not be below 0.")
