"""One call over HTTP: an answer, a fault worth another attempt, or the reason to stop."""

import json
import queue
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
import urllib3

from common.errors import UserError
from common.llm.cache import Stored
from common.llm.config import LLMConfig, is_loopback
from common.llm.keys import redact

T = TypeVar("T")
LARGEST = 4 * 1024 * 1024
"""Bytes of a body that are read; a summary has about a thousand."""
_CHUNK = 65536
_SHOWN = 300  # characters of a server's message
_BUSY = (408, 425, 429)
_UNKNOWN = -1  # tokens that the server did not count


class TransientError(Exception):
    """A fault that another attempt may mend."""

    def __init__(self, reason: str, detail: str = "", *, wait: float = 0.0, charged: bool = False) -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        """One word for the count of retries: connect, timeout, dropped, broken, or the status."""
        self.wait = wait
        """Seconds that the server asked for, 0 when it did not."""
        self.charged = charged
        """Whether the server may have answered, and so charged, what did not arrive."""


@dataclass(frozen=True)
class Target:
    """Where calls go, and with which key."""

    url: str
    key: str = field(repr=False)


def open_session(target: Target) -> requests.Session:
    """A session of one worker: it keeps its connection, and sends the key to the target alone."""
    session = requests.Session()

    def bearer(request: requests.PreparedRequest) -> requests.PreparedRequest:
        if target.key:
            request.headers["Authorization"] = f"Bearer {target.key}"
        return request

    # A function here keeps requests from taking a password out of ~/.netrc instead.
    session.auth = bearer
    # Proxies of the environment are for other machines: over plain http they would be told the key.
    session.trust_env = not is_loopback(target.url)
    # A compressed body could unpack to any size.
    session.headers.update({"Accept-Encoding": "identity", "Content-Type": "application/json"})
    return session


class Aside:
    """A thread that does a worker's blocking work, so that the worker can give up on it.

    A read timeout counts from the last byte: a server that drips one a minute, in a header say, would hold a worker for
    ever. A thread that was given up on is left behind; it ends with its connection or with this process.
    """

    def __init__(self) -> None:
        self._work: queue.SimpleQueue[Callable[[], Any] | None] | None = None
        self._outcomes: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()

    def within(self, seconds: float, work: Callable[[], T]) -> T:
        """What the work gives. Raises what it raises, TimeoutError when it takes longer."""
        if self._work is None:
            self._work, self._outcomes = queue.SimpleQueue(), queue.SimpleQueue()
            threading.Thread(target=_do, args=(self._work, self._outcomes), daemon=True).start()
        self._work.put(work)
        try:
            good, value = self._outcomes.get(timeout=seconds)
        except queue.Empty:
            self.close()
            raise TimeoutError from None
        if not good:
            raise value
        result: T = value
        return result

    def close(self) -> None:
        """End the thread, after what it is at."""
        if self._work:
            self._work.put(None)
        self._work = None


def _do(
    waiting: "queue.SimpleQueue[Callable[[], Any] | None]", outcomes: "queue.SimpleQueue[tuple[bool, Any]]"
) -> None:
    while (work := waiting.get()) is not None:
        try:
            outcomes.put((True, work()))
        except BaseException as error:  # it is raised again in the worker's thread
            outcomes.put((False, error))
        del work  # an answer must not be kept alive until the next


@dataclass(frozen=True)
class Line:
    """What a worker calls through."""

    adapter: requests.adapters.BaseAdapter
    """What sends, without a session's cookies and redirects: a redirect is not followed, the key is for one host."""
    request: requests.PreparedRequest
    """All of a call but its body: made once, as that takes longer than sending it."""
    environment: Mapping[str, Any]
    """Proxies and certificates."""
    aside: Aside


@contextmanager
def open_line(target: Target) -> Iterator[Line]:
    """A line of one worker, closed in the end. Raises UserError for a URL that nothing can be sent to."""
    aside = Aside()
    with open_session(target) as session:
        try:
            request = session.prepare_request(requests.Request("POST", target.url))
        except requests.exceptions.RequestException as error:
            raise _unsendable(target, error) from None
        url = request.url or target.url
        environment = session.merge_environment_settings(url, {}, True, None, None)
        try:
            yield Line(session.get_adapter(url), request, environment, aside)
        finally:
            aside.close()


def post(line: Line, target: Target, body: dict[str, Any], config: LLMConfig) -> Stored:
    """The answer to one call, the key redacted; tokens that the server did not count are -1.

    Raises TransientError when another attempt may help, UserError when none will (401, 403, 400, 404, 422, …), and
    OSError for a host that does not exist.
    """
    data = json.dumps(body, ensure_ascii=True).encode("ascii")
    try:
        status, headers, content = line.aside.within(
            config.connect_timeout + config.read_timeout,
            lambda: _exchange(line, data, config),
        )
    except TimeoutError:
        raise TransientError(
            "timeout", f"no whole answer within {config.read_timeout:g} s", charged=True
        ) from None
    except requests.exceptions.SSLError as error:
        if "certificate verify failed" not in str(error):
            raise TransientError("connect", "TLS failed") from None
        raise UserError(
            f"llm: {target.url}: its certificate cannot be trusted; check base_url, or set REQUESTS_CA_BUNDLE to your "
            "network's certificates."
        ) from None
    except requests.exceptions.ConnectTimeout:
        raise TransientError("connect", f"not taken within {config.connect_timeout:g} s") from None
    except (requests.exceptions.Timeout, urllib3.exceptions.ReadTimeoutError):
        raise TransientError(
            "timeout", f"nothing arrived for {config.read_timeout:g} s", charged=True
        ) from None
    except (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
        raise _unconnected(error) from None
    except (urllib3.exceptions.HTTPError, requests.exceptions.ContentDecodingError):
        raise TransientError("dropped", "the connection ended inside the answer", charged=True) from None
    except requests.exceptions.RequestException as error:
        raise _unsendable(target, error) from None
    if status == 200:
        return answer(content, target.key)
    raise _refused(status, headers, content, target)


def _unsendable(target: Target, error: Exception) -> UserError:
    # The error's own text may hold what was sent.
    return UserError(
        f"llm: {target.url}: the request cannot be made ({type(error).__name__}); check base_url."
    )


def _exchange(line: Line, data: bytes, config: LLMConfig) -> tuple[int, dict[str, str], bytes]:
    """Status, headers (lower case) and body."""
    ends = time.monotonic() + config.connect_timeout + config.read_timeout
    request = line.request.copy()
    request.prepare_body(data, None)
    response = line.adapter.send(
        request, timeout=(config.connect_timeout, config.read_timeout), **line.environment
    )
    try:
        content = _body(response.raw, ends)
    except BaseException:
        response.close()
        raise
    headers = {name.lower(): value for name, value in response.headers.items()}
    if headers.get("content-encoding", "identity") != "identity" and response.status_code == 200:
        raise TransientError("broken", "the body is compressed although that was not asked for", charged=True)
    return response.status_code, headers, content


def _body(raw: Any, ends: float) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := raw.read1(_CHUNK, decode_content=False):
        parts.append(part)
        size += len(part)
        if size > LARGEST:
            raise TransientError("broken", f"the body has more than {LARGEST} bytes", charged=True)
        if time.monotonic() > ends:
            raise TimeoutError
    return b"".join(parts)


def _unconnected(error: Exception) -> Exception:
    """What a failed connection means."""
    cause: BaseException | None = error
    seen = []
    while cause is not None and cause not in seen:
        seen.append(cause)
        reason = getattr(cause.args[0], "reason", None) if cause.args else None
        cause = (
            cause.__cause__ or cause.__context__ or (reason if isinstance(reason, BaseException) else None)
        )
    if any(isinstance(found, socket.gaierror | urllib3.exceptions.NameResolutionError) for found in seen):
        return TransientError("unknown host", "its name leads nowhere")
    if any(isinstance(found, urllib3.exceptions.NewConnectionError) for found in seen):
        refused = any(isinstance(found, ConnectionRefusedError) for found in seen)
        return TransientError("connect", "nothing listens there" if refused else "no way there")
    if any(isinstance(found, urllib3.exceptions.ProxyError) for found in seen):
        return TransientError("connect", "the proxy of the environment does not answer")
    return TransientError("dropped", "the connection was closed before the answer", charged=True)


def answer(content: bytes, key: str) -> Stored:
    """The answer in a body. Raises TransientError when it is no whole chat completion."""
    try:
        value = json.loads(content)
        choice = value["choices"][0]
        text = choice["message"].get("content")
        finish = choice.get("finish_reason")
        usage = value.get("usage")
        if not (isinstance(text, str | None) and isinstance(finish, str | None)):
            raise TypeError("content")
    except (ValueError, RecursionError):
        raise TransientError("broken", "the body is no JSON", charged=True) from None
    except (KeyError, IndexError, TypeError, AttributeError):
        raise TransientError("broken", "the body is no chat completion", charged=True) from None
    counts = usage if isinstance(usage, dict) else {}
    prompt, completion = (_count(counts.get(name)) for name in ("prompt_tokens", "completion_tokens"))
    # A lone surrogate, which JSON can name, is no text and cannot be stored.
    whole = (text or "").encode("utf-8", "replace").decode("utf-8")
    return Stored(redact(whole, key), redact((finish or "")[:40], key), prompt, completion)


def _count(value: Any) -> int:
    good = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9
    return value if good else _UNKNOWN


def retry_after(headers: dict[str, str]) -> float:
    """Seconds that a Retry-After header asks for (RFC 9110, 10.2.3: seconds or a date), 0.0 when it says nothing."""
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
        return float(text)
    try:
        then = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return 0.0
    try:
        # By the server's own clock where it says what that shows: ours may be off.
        now = parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, OverflowError):
        now = datetime.now(UTC)
    return max(0.0, (_aware(then) - _aware(now)).total_seconds())


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def said(content: bytes, key: str) -> str:
    """The server's own message in an error body: on one line, shortened, the key redacted first."""
    text = content[:_CHUNK].decode("utf-8", "replace")
    try:
        value = json.loads(text)
        for name in ("error", "message", "detail"):
            if isinstance(value, dict) and value.get(name):
                value = value[name]
        if isinstance(value, dict | list):
            value = json.dumps(value, ensure_ascii=False)
        text = str(value)
    except (ValueError, RecursionError):
        pass
    # A control character could move the terminal's cursor, or cut the key in two.
    printable = "".join(letter if letter.isprintable() else " " for letter in redact(text, key))
    line = redact(" ".join(printable.split()), key)
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…"


def _refused(status: int, headers: dict[str, str], content: bytes, target: Target) -> Exception:
    """What a status other than 200 means."""
    message = said(content, target.key)
    told = f' It said: "{message}".' if message else ""
    if status in _BUSY or status >= 500:
        return TransientError(str(status), message, wait=retry_after(headers))
    if status == 401:
        return UserError(f"llm: {target.url}: the API key was refused (401).{told} Check the key.")
    if status in (402, 403):
        return UserError(
            f"llm: {target.url}: refused ({status}): no credit is left, or this key may not use that model.{told} "
            "Charge the account, or set another --model."
        )
    if 300 <= status < 400:
        where = urlsplit(headers.get("location", "")).netloc or "another place"
        return UserError(
            f"llm: {target.url}: answered with a redirect ({status}) to {redact(said(where.encode(), target.key), target.key)}; "
            "it is not followed, as the key is for this host alone. Set base_url to where the endpoint is now."
        )
    return UserError(
        f"llm: {target.url}: the request was refused ({status}).{told} Check base_url, model and the parameters."
    )
