"""The API key: where it comes from, and that it is shown nowhere."""

import functools
import os
import re

from dotenv import dotenv_values

from common import files
from common.errors import UserError
from common.llm.config import LOOPBACK, LLMConfig

REDACTED = "[key]"
"""Stands where a server sent the key back."""

_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # what RFC 6750, 2.1, lets a bearer token be
_PART = 12  # characters of a key that are told apart from ordinary text
_PERCENT = "%(?:25){0,3}"
_AMPERSAND, _HASH, _SEMICOLON = (rf"(?:{c}|{_PERCENT}{ord(c):02x})" for c in "&#;")
_ENTITY = rf"{_AMPERSAND}(?:amp{_SEMICOLON}){{0,3}}{_HASH}"
_BACKSLASHES = rf"(?:\\|{_PERCENT}5c){{0,8}}"
_SHORTEST = 8  # a shorter one is no secret, and would be found in ordinary text


def read_key(config: LLMConfig) -> str:
    """The key from the environment variable `config.key_name`, else from .env in the repository's folder; "" when none
    is wanted (key_name "" or base_url "loopback:").

    Raises UserError when it is missing or cannot be a key; the message never shows it.
    """
    name = config.key_name.strip()
    if not name or config.base_url.strip() == LOOPBACK:
        return ""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        # Someone may have put the key itself there.
        raise UserError(
            "llm: key_name is not the name of an environment variable (letters, digits, underscores), as SOLAR_API_KEY "
            "is; it must never be the key itself."
        )
    key, place = secret(name)
    if not key:
        raise UserError(
            f"llm: there is no API key: {name} is neither in the environment nor in {files.root() / '.env'}. "
            f"Write the line {name}=… into that file (git ignores it); key_name= sends none."
        )
    if not _TOKEN.fullmatch(key):
        raise UserError(
            f"llm: the key {name} in {place} holds a character that no key has (a space, a control character, one beyond "
            "ASCII, …; allowed are letters, digits and -._~+/=); copy the key again."
        )
    if len(key) < _SHORTEST:
        raise UserError(
            f"llm: the key {name} in {place} has {len(key)} characters, too few for a key; copy it again. "
            "For a server that needs none set key_name= (empty)."
        )
    return key


def secret(name: str) -> tuple[str, str]:
    """The value of an environment variable, else of that name's line in .env, without spaces around it, "" when there is
    none; and which of the two places it came from.

    Raises UserError when .env cannot be read.
    """
    key = os.environ.get(name, "").strip()
    return (key, "the environment") if key else (_dotenv(name), ".env")


def _dotenv(name: str) -> str:
    path = files.root() / ".env"
    if not path.is_file():
        return ""
    try:
        return (dotenv_values(path, interpolate=False, encoding="utf-8-sig").get(name) or "").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UserError(f"{path}: cannot be read ({reason}); it should hold lines like {name}=…") from None


@functools.lru_cache(maxsize=4)
def _pattern(key: str) -> re.Pattern[str]:
    """The key, or its first characters, however often it was escaped for JSON, HTML or a URL."""
    units = []
    for letter in key:
        code = ord(letter)
        numbers = f"{_PERCENT}{code:02x}|u00{code:02x}|{_ENTITY}(?:0*{code}|x0*{code:x}){_SEMICOLON}"
        units.append(letter if letter.isalnum() else f"{_BACKSLASHES}(?:{re.escape(letter)}|{numbers})")
    sure, rest = units[:_PART], units[_PART:]
    # From the inside out: as much of the rest as is there.
    tail = ""
    for unit in reversed(rest):
        tail = f"(?:{unit}{tail})?"
    return re.compile("".join(sure) + tail, re.IGNORECASE)


def redact(text: str, key: str) -> str:
    """The text with REDACTED in place of the key, escaped or not, and of its beginning where the rest was cut off."""
    return _pattern(key).sub(REDACTED, text) if key else text
