"""Turn what a server refuses into an error: one that another attempt may fix, or one that the user must fix."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import get_args
from urllib.parse import urlsplit

from common.core.errors import UserError
from common.llm.cache import body
from common.llm.config import LLMConfig
from common.llm.keys import redact
from common.llm.parameters import OptionalParameter, further
from common.llm.server_errors import ServerError, no_waiting_helps

_READ = 65536  # characters of a server's words that are read
_SHOWN = 300  # characters of a server's message
_BUSY = (408, 425, 429)


class TransientError(Exception):
    """A fault that another attempt may fix."""

    def __init__(self, reason: str, detail: str = "", *, wait: float = 0.0, charged: bool = False) -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        """The name under which the retry is counted: connect, unknown host, timeout, dropped, broken, error
        (an error of no known status), or the status."""
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


def quoted(text: str, key: str) -> str:
    """Return a server's words in quotes: on one line, shortened, the key redacted; "" if there are none."""
    # A control character could move the terminal's cursor, or split the key so that it is not redacted.
    text = redact(text[:_READ], key)
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    words = redact(" ".join(printable.split()), key)
    return f'"{words[:_SHOWN]}{"…" if len(words) > _SHOWN else ""}"' if words else ""


def status_error(
    status: int, headers: dict[str, str], error: ServerError, target: Target, config: LLMConfig
) -> Exception:
    """Return the exception for an error; `status` is the HTTP status, or 0 if the server does not say which.

    TransientError when another attempt may help (408, 425, 429, 5xx, 0), else a UserError that says what to change.
    """
    said = quoted(error.message, target.key)
    words = f" The server says: {said}." if said else " The server does not say why."
    wait = retry_after(headers)
    if 300 <= status < 400:
        where = quoted(_host(headers.get("location", "")), target.key).strip('"')
        return UserError(
            f"llm: {target.url}: answered with a redirect ({status}) to {where or 'another place'}; it is "
            "not followed, because the key is for this host only. Set base_url to the endpoint's new address."
        )
    if status == 401:
        return UserError(f"llm: {target.url}: the API key was refused (401).{words} Check the key.")
    if status == 402 or no_waiting_helps(error, status, wait):
        return UserError(
            f"llm: {target.url}: the request was refused ({status or 'no status'}), because the quota or credit of this key is "
            f"used up; waiting does not help.{words} Check the account's plan, or choose another --key-name or --model."
        )
    if status == 413 or (error.kind == "context" and status != 429):
        return _refused(status, words, target, _CONTEXT)
    if status == 0 or status in _BUSY or status >= 500:
        return TransientError(str(status) if status else "error", said, wait=wait)
    if status == 403:
        return _refused(
            status, words, target, "This key may not do that: choose another --model or --key-name."
        )
    if error.kind == "missing" or status == 404:
        return _refused(status, words, target, "Check --base-url and --model.")
    if _SYSTEM.search(error.message):
        return _refused(status, words, target, "To send no system message, set --system-role false.")
    return _refused(status, words, target, _parameter_advice(error, config) or _PARAMETERS)


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc
    except ValueError:
        return ""


def _parameter_advice(error: ServerError, config: LLMConfig) -> str:
    """Return which setting changes the parameters that an error names, "" if it names none that are sent."""
    sent = [name for name in body(config, ()) if name != "messages"]
    words = " ".join((*error.parameters, error.message))
    named = [name for name in sent if name in error.parameters] or [
        name for name in sent if re.search(rf"(?<![A-Za-z0-9_]){re.escape(name)}(?![A-Za-z0-9_])", words)
    ]
    limit, parts = config.max_tokens_name, []
    if limit in named:
        others = [name for name in _OTHER_LIMITS.findall(words) if name != limit]
        other = others[0] if others else "NAME" if limit != "max_tokens" else "max_completion_tokens"
        parts.append(f"rename the limit with --max-tokens-name {other}, or change it with --max-tokens")
    if dropped := [name for name in named if name in get_args(OptionalParameter)]:
        kept = ",".join(dict.fromkeys((*config.leave_out, *dropped)))
        parts.append(f"leave it out with --leave-out {kept}")
    if added := [name for name in named if name in further(limit, config.extra)]:
        parts.append(f"take {', '.join(added)} out of --extra")
    if "model" in named and not parts:
        parts.append("choose another --model")
    return f"To change that, {'; '.join(parts)}." if parts else ""


_OTHER_LIMITS = re.compile(r"\bmax_[a-z_]*tokens\b")
_SYSTEM = re.compile(
    r"\bsystem\W{0,3}(?:role|message|prompt|instruction)|\brole\W{0,6}system\b", re.IGNORECASE
)
_CONTEXT = "The prompt and the answer are too long for the model: lower --shots or --max-tokens, or choose another --model."
_PARAMETERS = "Check --model; --max-tokens-name and --leave-out change the parameters that are sent."


def _refused(status: int, words: str, target: Target, advice: str) -> UserError:
    return UserError(f"llm: {target.url}: the request was refused ({status}).{words} {advice}")


def advice(reason: str) -> str:
    """Return what to do about calls that got no answer in all attempts, by the last `TransientError.reason`."""
    if reason in _ADVICE:
        return _ADVICE[reason]
    return "The server failed, not the request: run again later."


_ADVICE = {
    "unknown host": "Check the spelling of base_url and the network's name server.",
    "connect": "Check that a server listens at base_url, and the network between.",
    "timeout": "Raise --read-timeout, or lower --workers or --max-tokens.",
    "dropped": "The server or a proxy in between closes connections early: lower --workers, or run again later.",
    "broken": "Check that base_url is an OpenAI-compatible endpoint.",
    "error": "Read what the server says, and run again later.",
    "429": "Lower --requests-per-minute, --tokens-per-minute or --workers, or run again later.",
}
