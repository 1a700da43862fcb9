"""Make one call over HTTP: it ends in an answer, a fault that may be retried, or an error that stops the run."""

import json
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests
import urllib3

from common.core.errors import UserError
from common.llm.cache import Stored
from common.llm.completion import read
from common.llm.config import LLMConfig, is_loopback
from common.llm.deadline import DeadlineThread
from common.llm.refusals import Target, TransientError

LARGEST = 4 * 1024 * 1024
"""Largest body that is read, in bytes; a summary has about a thousand."""
_CHUNK = 65536  # bytes that one read asks for


def open_session(target: Target) -> requests.Session:
    """Return a session for one worker; it reuses its connection and sends the key to the target only."""
    session = requests.Session()

    def bearer(request: requests.PreparedRequest) -> requests.PreparedRequest:
        if target.key:
            request.headers["Authorization"] = f"Bearer {target.key}"
        return request

    # Without a function here requests would send a password from ~/.netrc.
    session.auth = bearer
    # The environment's proxies are for other machines: over plain http they would see the key.
    session.trust_env = not is_loopback(target.url)
    # A compressed body could decompress to any size.
    session.headers.update({"Accept-Encoding": "identity", "Content-Type": "application/json"})
    return session


@dataclass(frozen=True)
class Connection:
    """All that one worker needs to make a call."""

    adapter: requests.adapters.BaseAdapter
    """Sends requests without a session's cookies and redirects: the key is for one host, so no redirect is followed."""
    request: requests.PreparedRequest
    """The request without its body; prepared once, because that takes longer than sending it."""
    environment: Mapping[str, Any]
    """Proxy and certificate settings."""
    aside: DeadlineThread


@contextmanager
def open_connection(target: Target) -> Iterator[Connection]:
    """Yield a connection for one worker, then close it. Raises UserError for a URL that no request can be sent to."""
    aside = DeadlineThread()
    with open_session(target) as session:
        try:
            request = session.prepare_request(requests.Request("POST", target.url))
        except requests.exceptions.RequestException as error:
            raise _unsendable(target, error) from None
        url = request.url or target.url
        environment = session.merge_environment_settings(url, {}, True, None, None)
        try:
            yield Connection(session.get_adapter(url), request, environment, aside)
        finally:
            aside.close()


def post(connection: Connection, target: Target, body: dict[str, Any], config: LLMConfig) -> Stored:
    """Return the answer to one call, the key redacted; a token count that the server did not send is -1.

    Raises TransientError when another attempt may help, and UserError when none will (400, 401, 403, 404, 422, …).
    """
    data = json.dumps(body, ensure_ascii=True).encode("ascii")
    try:
        status, headers, content = connection.aside.within(
            config.connect_timeout + config.read_timeout,
            lambda: _exchange(connection, data, config),
        )
    except TimeoutError:
        raise TransientError(
            "timeout", f"no whole answer within {config.read_timeout:g} s", charged=True
        ) from None
    except requests.exceptions.SSLError as error:
        if "certificate verify failed" not in str(error):
            raise TransientError("connect", "TLS failed") from None
        raise UserError(
            f"llm: {target.url}: the server's certificate cannot be verified; check base_url, or set REQUESTS_CA_BUNDLE to "
            "the certificates of your network."
        ) from None
    except requests.exceptions.ConnectTimeout:
        raise TransientError("connect", f"not accepted within {config.connect_timeout:g} s") from None
    except (requests.exceptions.Timeout, urllib3.exceptions.ReadTimeoutError):
        raise TransientError(
            "timeout", f"nothing arrived for {config.read_timeout:g} s", charged=True
        ) from None
    except (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
        raise _unconnected(error) from None
    except (urllib3.exceptions.HTTPError, requests.exceptions.ContentDecodingError):
        raise TransientError("dropped", "the connection was closed inside the answer", charged=True) from None
    except requests.exceptions.RequestException as error:
        raise _unsendable(target, error) from None
    return read(status, headers, content, target, config)


def _unsendable(target: Target, error: Exception) -> UserError:
    # The error's own text may contain the key.
    return UserError(
        f"llm: {target.url}: the request cannot be sent ({type(error).__name__}); check base_url."
    )


def _exchange(connection: Connection, data: bytes, config: LLMConfig) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers (names in lower case) and body."""
    ends = time.monotonic() + config.connect_timeout + config.read_timeout
    request = connection.request.copy()
    request.prepare_body(data, None)
    response = connection.adapter.send(
        request, timeout=(config.connect_timeout, config.read_timeout), **connection.environment
    )
    try:
        content = _body(response.raw, ends)
    except BaseException:
        response.close()
        raise
    headers = {name.lower(): value for name, value in response.headers.items()}
    if headers.get("content-encoding", "identity") != "identity" and response.status_code == 200:
        raise TransientError("broken", "the body is compressed, which was not requested", charged=True)
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
    """Return the error that names the cause of a failed connection."""
    cause: BaseException | None = error
    seen = []
    while cause is not None and cause not in seen:
        seen.append(cause)
        reason = getattr(cause.args[0], "reason", None) if cause.args else None
        cause = (
            cause.__cause__ or cause.__context__ or (reason if isinstance(reason, BaseException) else None)
        )
    if any(isinstance(found, socket.gaierror | urllib3.exceptions.NameResolutionError) for found in seen):
        return TransientError("unknown host", "its name cannot be resolved")
    if any(isinstance(found, urllib3.exceptions.NewConnectionError) for found in seen):
        refused = any(isinstance(found, ConnectionRefusedError) for found in seen)
        return TransientError(
            "connect", "the connection was refused" if refused else "the host cannot be reached"
        )
    if any(isinstance(found, urllib3.exceptions.ProxyError) for found in seen):
        return TransientError("connect", "the proxy set in the environment does not answer")
    return TransientError("dropped", "the connection was closed before the answer", charged=True)
