"""Context7's public HTTP API: libraries by name, passages of their newest documentation.

The API: https://context7.com/docs/api-guide and docs/openapi.json of github.com/upstash/context7.
"""

import ipaddress
import json
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from urllib3.util import Retry

from common.errors import UserError
from common.llm.keys import secret

T = TypeVar("T")

REORDERING = (
    "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # bidi: shows text as another
)


@dataclass(frozen=True)
class Context7Config:
    """How Context7 is asked."""

    base_url: str = "https://context7.com/api/v2"
    """https, or http to this machine."""
    key: str = field(default="", repr=False)
    """Optional: without one Context7's limit is lower. Sent as the bearer, never printed or stored."""
    connect_seconds: float = 5.0
    """To wait for a connection."""
    read_seconds: float = 60.0
    """To wait for each part of an answer; Context7's own client allows as much."""
    retries: int = 3
    """Further tries after a failed connection, a 429 or a 5xx."""
    backoff_seconds: float = 0.25
    """The first retry comes at once, the second after twice this; each later pause is twice the one before."""
    longest_pause: int = 15
    """Seconds; what a Retry-After is cut to."""


@dataclass(frozen=True)
class Library:
    """One of Context7's libraries."""

    id: str
    """As /huggingface/transformers."""
    title: str


@dataclass(frozen=True)
class Passage:
    """A piece of documentation: plain text without control characters."""

    title: str
    text: str
    source: str
    """URL of the page; empty when Context7 names none."""


class UnavailableError(UserError):
    """Context7 does not answer now; it may later."""


def from_environment() -> Context7Config:
    """The defaults with CONTEXT7_BASE_URL and CONTEXT7_API_KEY from the environment or .env where they are set.

    Raises UserError when .env cannot be read.
    """
    base_url, _ = secret("CONTEXT7_BASE_URL")
    key, _ = secret("CONTEXT7_API_KEY")
    return Context7Config((base_url or Context7Config.base_url).rstrip("/"), key)


def is_local(config: Context7Config) -> bool:
    """Whether the base URL names this machine.

    Raises UserError when it is neither https nor http to this machine, or when the key cannot be sent.
    """
    try:
        parts = urlsplit(config.base_url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host = ""
    try:
        local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    allowed = ("https", "http") if local else ("https",)
    if not host or parts.scheme not in allowed or "@" in parts.netloc or parts.query or parts.fragment:
        raise UserError(
            "CONTEXT7_BASE_URL: wanted an https address without user, ? and #, as "
            f"{Context7Config.base_url} (http only to this machine, as http://127.0.0.1:8000)."
        )
    if not (config.key.isascii() and config.key.isprintable() and " " not in config.key):
        raise UserError("CONTEXT7_API_KEY holds characters no key has; copy it again, in one line.")
    return local


@contextmanager
def session(config: Context7Config) -> Iterator[requests.Session]:
    """A session that sends the key and tries again as the config says. Raises UserError as `is_local` does."""

    def bearer(request: requests.PreparedRequest) -> requests.PreparedRequest:
        if config.key:
            request.headers["Authorization"] = f"Bearer {config.key}"
        return request

    retry = Retry(
        total=config.retries,
        read=0,
        allowed_methods=["GET"],
        status_forcelist=[429, 500, 502, 503, 504],
        raise_on_status=False,
        backoff_factor=config.backoff_seconds,
        backoff_max=config.longest_pause,
        retry_after_max=config.longest_pause,
    )
    with requests.Session() as made:
        made.auth = bearer  # not a header, which a line in ~/.netrc would replace
        made.trust_env = not is_local(config)  # a proxy must not see what is meant for this machine
        made.mount(config.base_url, requests.adapters.HTTPAdapter(max_retries=retry))
        yield made


def search(opened: requests.Session, config: Context7Config, name: str, question: str) -> list[Library]:
    """Readable libraries of that name, best for the question first; [] when there is none. Raises as `passages` does."""
    return _get(opened, config, "/libs/search", {"libraryName": name, "query": question}, _libraries) or []


def passages(opened: requests.Session, config: Context7Config, library: str, question: str) -> list[Passage]:
    """What a library's documentation says about the question: code examples, then prose, each best first.

    Raises UserError on a refusal, an unknown library, or an answer that is not of the documented form, and
    UnavailableError when Context7 cannot be reached or is too busy.
    """
    wanted = {"libraryId": library, "query": question, "type": "json"}
    return _get(opened, config, "/context", wanted, _passages) or []


def _get(
    opened: requests.Session,
    config: Context7Config,
    endpoint: str,
    wanted: dict[str, str],
    parse: Callable[[Any], T],
) -> T | None:
    """What `parse` makes of the endpoint's answer; None when it says that no library was found."""
    seconds = (config.connect_seconds, config.read_seconds)
    try:
        # A library that moved is told in JSON; HTTP's redirect would take the question to another server.
        response = opened.get(
            config.base_url + endpoint, params=wanted, timeout=seconds, allow_redirects=False
        )
    except requests.RequestException as error:
        raise UnavailableError(
            f"Context7 ({config.base_url}) cannot be reached ({type(error).__name__}); check the network, "
            "HTTPS_PROXY and CONTEXT7_BASE_URL."
        ) from None  # its message may hold a proxy's password
    body = response.content.decode("utf-8", "replace")
    if config.key:
        body = body.replace(config.key, "[key]")
    try:
        answer = json.loads(body)
        if response.status_code == 200:
            return parse(answer)
    except (ValueError, RecursionError) as error:
        if response.status_code == 200:
            raise UserError(
                f"Context7 ({config.base_url}{endpoint}): not the answer its API documents ({error}); check "
                "CONTEXT7_BASE_URL, and https://context7.com/docs/api-guide for a newer API."
            ) from None
        answer = None
    if response.status_code == 404 and _string(answer, "error", "") == "no_libraries_found":
        return None
    raise _refusal(response.status_code, answer, config)


def _refusal(status: int, answer: Any, config: Context7Config) -> UserError:
    """What a status means for the user, with what the server says of it."""
    said, error, moved = (
        " ".join(_string(answer, name, "").split())[:200] for name in ("message", "error", "redirectUrl")
    )
    what = f"Context7 ({config.base_url}) answered {status}" + (f" ({said})" if said else "")
    get_key = "CONTEXT7_API_KEY (free at https://context7.com/dashboard)"
    if status == 429:
        hint = "" if config.key else f", or set {get_key}"
        return UnavailableError(f"{what}: too many questions; try again later{hint}.")
    if status >= 500:
        return UnavailableError(f"{what}: it has a fault of its own; try again later.")
    hints = {
        301: f"the library has moved; ask with lib={moved}",
        401: f"the key is wrong; mend {get_key}" if config.key else f"it wants a key; set {get_key}",
        403: "this library is not for this key; name another with lib=/OWNER/NAME",
        404: "leave lib= out to search for one" if error else "there is no such API; check CONTEXT7_BASE_URL",
    }
    return UserError(f"{what}: {hints.get(status, 'ask in other words, or name another library with lib=')}.")


# --- the documented answers: what is not of their form is a ValueError, further fields are ignored


def _libraries(answer: Any) -> list[Library]:
    return [
        Library(_string(entry, "id"), _string(entry, "title"))
        for entry in _list(answer, "results")
        if _string(entry, "state", "finalized") == "finalized"  # any other cannot be read (yet)
    ]


def _passages(answer: Any) -> list[Passage]:
    found = []
    for entry in _list(answer, "codeSnippets"):
        code = [
            f"```{_string(one, 'language')}\n{_string(one, 'code')}\n```" for one in _list(entry, "codeList")
        ]
        body = "\n\n".join(part for part in [_string(entry, "codeDescription"), *code] if part)
        found.append(Passage(_string(entry, "codeTitle"), body, _string(entry, "codeId")))
    for entry in _list(answer, "infoSnippets"):
        title, source = _string(entry, "breadcrumb", "Documentation"), _string(entry, "pageId", "")
        found.append(Passage(title, _string(entry, "content"), source))
    return found


def _list(value: Any, name: str) -> list[Any]:
    found = value.get(name) if isinstance(value, dict) else None
    if not isinstance(found, list):
        raise ValueError(f"no list {name!r}")
    return found


def _string(value: Any, name: str, absent: str | None = None) -> str:
    found = value.get(name) if isinstance(value, dict) else None
    if isinstance(found, str):
        return printable(found)
    if absent is None:
        raise ValueError(f"no text {name!r}")
    return absent


def printable(text: str) -> str:
    """The text without what a terminal obeys (escape sequences, reordering) or cannot show (lone surrogates)."""
    return "".join(
        letter
        for letter in text
        if letter in "\n\t" or (unicodedata.category(letter) not in ("Cc", "Cs") and letter not in REORDERING)
    )
