"""Turn an HTTP status other than 200 into an error: one that another attempt may fix, or one that the user must fix."""

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from common.core.errors import UserError
from common.llm.keys import redact

_READ = 65536  # bytes of an error body that are read
_SHOWN = 300  # characters of a server's message
_BUSY = (408, 425, 429)


class TransientError(Exception):
    """A fault that another attempt may fix."""

    def __init__(self, reason: str, detail: str = "", *, wait: float = 0.0, charged: bool = False) -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        """The name under which the retry is counted: connect, unknown host, timeout, dropped, broken, or the status."""
        self.wait = wait
        """Seconds that the server asked to wait, 0 if it did not ask."""
        self.charged = charged
        """Whether the server may have charged for an answer that did not arrive."""


@dataclass(frozen=True)
class Target:
    """The URL that calls go to, and the key they carry."""

    url: str
    key: str = field(repr=False)


def retry_after(headers: dict[str, str]) -> float:
    """Return the seconds that a Retry-After header asks to wait, 0.0 if there is none or it cannot be read.

    Source: RFC 9110, section 10.2.3 (seconds or a date).
    """
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
        return float(text)
    try:
        then = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return 0.0
    try:
        # The server's clock is preferred, because this machine's may be wrong.
        now = parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, OverflowError):
        now = datetime.now(UTC)
    return max(0.0, (_aware(then) - _aware(now)).total_seconds())


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def server_message(content: bytes, key: str) -> str:
    """Return the server's message in an error body: on one line, shortened, the key redacted."""
    text = content[:_READ].decode("utf-8", "replace")
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
    # A control character could move the terminal's cursor, or split the key so that it is not redacted.
    printable = "".join(letter if letter.isprintable() else " " for letter in redact(text, key))
    message = redact(" ".join(printable.split()), key)
    return message if len(message) <= _SHOWN else f"{message[:_SHOWN]}…"


def status_error(status: int, headers: dict[str, str], content: bytes, target: Target) -> Exception:
    """Return the exception for a status other than 200.

    TransientError when another attempt may help (408, 425, 429, 5xx), else a UserError that says what to change.
    """
    message = server_message(content, target.key)
    quoted = f' The server\'s message: "{message}".' if message else ""
    if status in _BUSY or status >= 500:
        return TransientError(str(status), message, wait=retry_after(headers))
    if status == 401:
        return UserError(f"llm: {target.url}: the API key was refused (401).{quoted} Check the key.")
    if status in (402, 403):
        return UserError(
            f"llm: {target.url}: the request was refused ({status}): no credit is left, or this key may not use that "
            f"model.{quoted} Add credit to the account, or choose another --model."
        )
    if 300 <= status < 400:
        where = urlsplit(headers.get("location", "")).netloc or "another place"
        return UserError(
            f"llm: {target.url}: answered with a redirect ({status}) to {redact(server_message(where.encode(), target.key), target.key)}; "
            "it is not followed, because the key is for this host only. Set base_url to the endpoint's new address."
        )
    return UserError(
        f"llm: {target.url}: the request was refused ({status}).{quoted} Check base_url, model and the parameters."
    )
