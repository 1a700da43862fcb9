"""The API key: where it comes from, and that it is shown nowhere."""

import html
import json
import os
import re
from urllib.parse import quote

from dotenv import dotenv_values

from common import files
from common.errors import UserError
from common.llm.config import LOOPBACK, LLMConfig

REDACTED = "[key]"
"""Stands where a server sent the key back."""

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
    place = "the environment"
    key = os.environ.get(name, "").strip()
    if not key:
        place = ".env"
        key = _dotenv(name)
    if not key:
        raise UserError(
            f"llm: there is no API key: {name} is neither in the environment nor in {files.root() / '.env'}. "
            f"Write the line {name}=… into that file (git ignores it); key_name= sends none."
        )
    for position, letter in enumerate(key, 1):
        if not "!" <= letter <= "~":
            raise UserError(
                f"llm: the key {name} in {place} holds, as character {position} of {len(key)}, one that no key has "
                "(a space, a control character or one beyond ASCII); copy the key again."
            )
    if len(key) < _SHORTEST:
        raise UserError(
            f"llm: the key {name} in {place} has {len(key)} characters, too few for a key; copy it again. "
            "For a server that needs none set key_name= (empty)."
        )
    return key


def _dotenv(name: str) -> str:
    path = files.root() / ".env"
    if not path.is_file():
        return ""
    try:
        return (dotenv_values(path, interpolate=False, encoding="utf-8-sig").get(name) or "").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UserError(f"{path}: cannot be read ({reason}); it should hold lines like {name}=…") from None


def redact(text: str, key: str) -> str:
    """The text with REDACTED in place of the key, also where it was escaped for JSON, HTML or a URL."""
    if not key:
        return text
    spellings = {key, json.dumps(key)[1:-1], json.dumps(key)[1:-1].replace("/", "\\/"), html.escape(key),
                 quote(key), quote(key, safe="")}  # fmt: skip
    for spelling in sorted(spellings, key=len, reverse=True):
        text = text.replace(spelling, REDACTED)
    return text
