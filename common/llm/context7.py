"""Call Context7's public HTTP API: search libraries by name, get passages of their newest documentation.

Source: https://context7.com/docs/api-guide and docs/openapi.json of github.com/upstash/context7.
"""

import ipaddress
import json
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

import requests
from annotated_types import Ge, Gt, Le
from urllib3.util import Retry

from common.core.errors import UserError
from common.llm.keys import read_secret

T = TypeVar("T")

# Bidirectional controls can make a text look different from what it is.
REORDERING = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@dataclass(frozen=True)
class Context7Config:
    """Settings of the client."""

    base_url: str = "https://context7.com/api/v2"
    """URL of the API: https, or http on this machine."""
    key: str = field(default="", repr=False)
    """Optional API key; without one the rate limit is lower. Sent as a bearer token, never printed or stored."""
    connect_seconds: Annotated[float, Gt(0), Le(3600)] = 5.0
    """Seconds to wait for a connection."""
    read_seconds: Annotated[float, Gt(0), Le(86_400)] = 60.0
    """Seconds to wait for each part of an answer; the same as in Context7's own client."""
    retries: Annotated[int, Ge(0), Le(100)] = 3
    """Number of retries after a failed connection, a 429 or a 5xx."""
    backoff_seconds: Annotated[float, Ge(0), Le(3600)] = 0.25
    """Base of the exponential back-off: no pause before the first retry, twice this before the second, then doubling."""
    longest_pause: Annotated[int, Ge(0), Le(86_400)] = 15
    """Maximum pause in seconds, also for a Retry-After."""


@dataclass(frozen=True)
class Library:
    """A library that Context7 knows."""

    id: str
    """Context7's id, for example /huggingface/transformers."""
    title: str


@dataclass(frozen=True)
class Passage:
    """A passage of documentation: plain text without control characters."""

    title: str
    text: str
    source: str
    """URL of the page; "" if Context7 gives none."""


class UnavailableError(UserError):
    """Context7 is unavailable for now."""


def from_environment() -> Context7Config:
    """Return the default settings with CONTEXT7_BASE_URL and CONTEXT7_API_KEY from the environment or .env, if set.

    Raises UserError if .env cannot be read.
    """
    base_url, _ = read_secret("CONTEXT7_BASE_URL")
    key, _ = read_secret("CONTEXT7_API_KEY")
    return Context7Config((base_url or Context7Config.base_url).rstrip("/"), key)


def is_local(config: Context7Config) -> bool:
    """Return whether the base URL's host is this machine.

    Raises UserError if the URL is neither https nor http on this machine, or if the key is malformed.
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
            "CONTEXT7_BASE_URL: wanted an https URL without user name, ? and #, for example "
            f"{Context7Config.base_url} (http only on this machine: http://127.0.0.1:8000)."
        )
    if not (config.key.isascii() and config.key.isprintable() and " " not in config.key):
        raise UserError(
            "CONTEXT7_API_KEY contains characters that keys do not have; copy it again, on one line."
        )
    return local


@contextmanager
def session(config: Context7Config) -> Iterator[requests.Session]:
    """Yield a session that sends the key and retries as configured. Raises UserError as `is_local` does."""

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
        made.auth = bearer  # not a header, because ~/.netrc would override it
        made.trust_env = not is_local(config)  # requests to this machine must not go through a proxy
        made.mount(config.base_url, requests.adapters.HTTPAdapter(max_retries=retry))
        yield made


def search(opened: requests.Session, config: Context7Config, name: str, question: str) -> list[Library]:
    """Return the readable libraries for a name, best match first; [] if there is none. Raises as `passages` does."""
    return _get(opened, config, "/libs/search", {"libraryName": name, "query": question}, _libraries) or []


def passages(opened: requests.Session, config: Context7Config, library: str, question: str) -> list[Passage]:
    """Return passages of a library's documentation about a question: code examples, then prose, each best first.

    Raises UserError if the request is refused, the library is unknown or the answer is malformed, and UnavailableError
    if Context7 cannot be reached or is too busy.
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
    """Return the parsed answer of an endpoint; None if it reports that no library was found."""
    seconds = (config.connect_seconds, config.read_seconds)
    try:
        # The API reports a moved library in JSON; an HTTP redirect would send the question to another server.
        response = opened.get(
            config.base_url + endpoint, params=wanted, timeout=seconds, allow_redirects=False
        )
    except requests.RequestException as error:
        raise UnavailableError(
            f"Context7 ({config.base_url}) cannot be reached ({type(error).__name__}); check the network, "
            "HTTPS_PROXY and CONTEXT7_BASE_URL."
        ) from None  # the error's message may contain a proxy's password
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
                f"Context7 ({config.base_url}{endpoint}): not a documented answer ({error}); check "
                "CONTEXT7_BASE_URL, and https://context7.com/docs/api-guide for a newer API."
            ) from None
        answer = None
    if response.status_code == 404 and _string(answer, "error", "") == "no_libraries_found":
        return None
    raise _refusal(response.status_code, answer, config)


def _refusal(status: int, answer: Any, config: Context7Config) -> UserError:
    """Return the error for a status, with the server's message and a hint."""
    message, error, moved = (
        " ".join(_string(answer, name, "").split())[:200] for name in ("message", "error", "redirectUrl")
    )
    what = f"Context7 ({config.base_url}) answered {status}" + (f" ({message})" if message else "")
    get_key = "CONTEXT7_API_KEY (free at https://context7.com/dashboard)"
    if status == 429:
        hint = "" if config.key else f", or set {get_key}"
        return UnavailableError(f"{what}: too many requests; try again later{hint}.")
    if status >= 500:
        return UnavailableError(f"{what}: a fault of the server; try again later.")
    hints = {
        301: f"the library has moved; ask with lib={moved}",
        401: f"the key is wrong; fix {get_key}" if config.key else f"a key is required; set {get_key}",
        403: "this key may not use this library; choose another with lib=/OWNER/NAME",
        404: "leave out lib= to search" if error else "there is no such API; check CONTEXT7_BASE_URL",
    }
    return UserError(
        f"{what}: {hints.get(status, 'rephrase the question, or choose another library with lib=')}."
    )


# --- parse the documented answers: a malformed one raises ValueError, additional fields are ignored


def _libraries(answer: Any) -> list[Library]:
    return [
        Library(_string(entry, "id"), _string(entry, "title"))
        for entry in _list(answer, "results")
        if _string(entry, "state", "finalized") == "finalized"  # others cannot be read (yet)
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
    """Return the text without terminal control characters, bidirectional controls and lone surrogates."""
    return "".join(
        letter
        for letter in text
        if letter in "\n\t" or (unicodedata.category(letter) not in ("Cc", "Cs") and letter not in REORDERING)
    )
