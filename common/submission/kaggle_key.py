"""Find the user's Kaggle key where Kaggle's client looks for it, so that a missing one is named and none is ever shown."""

import json
import os
from base64 import b64encode
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from common.core.errors import UserError


def require_safe(variable: str, endpoint: str) -> None:
    """Raise UserError unless the key may travel to this address: over https, or within this machine."""
    try:
        parts = urlsplit(endpoint)
        host, good = parts.hostname or "", bool(parts.hostname) and not (parts.username or parts.query)
    except ValueError:
        host, good = "", False
    local = host in ("localhost", "127.0.0.1", "::1")
    if not good or not (parts.scheme == "https" or (parts.scheme == "http" and local)):
        raise UserError(
            f"{variable}: wanted an address that begins with https://, or with http:// on this machine, without a name, "
            "password or query; for Kaggle itself, remove that variable."
        )


def _folders() -> list[Path]:
    """Return the folders in which the client looks for its files."""
    given = os.environ.get("KAGGLE_CONFIG_DIR")
    home = Path.home()
    return [Path(given)] if given else [home / ".kaggle", home / ".config/kaggle"]


def _key_file() -> dict[str, Any]:
    """Return the content of the first kaggle.json; {} when there is none, or it has no name and key."""
    for folder in _folders():
        try:
            found = json.loads((folder / "kaggle.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(found, dict):
            return found
    return {}


def _name_and_key() -> tuple[str, str]:
    """Return the user's name and key that the client uses, each "" when it is missing."""
    stored = _key_file()
    found = (
        os.environ.get(name) or stored.get(part)
        for name, part in (("KAGGLE_USERNAME", "username"), ("KAGGLE_KEY", "key"))
    )
    name, key = (text if isinstance(text, str) else "" for text in found)
    return name, key


def secrets(token: str | None) -> tuple[str, ...]:
    """Return what no message may show: the token, the key, and the name with the key as HTTP sends it."""
    name, key = _name_and_key()
    sent = b64encode(f"{name}:{key}".encode()).decode() if key else ""
    found = (token or "", os.environ.get("KAGGLE_API_TOKEN", ""), key, sent)
    return tuple(dict.fromkeys(text for text in found if text))


def require_key(token: str | None) -> None:
    """Raise UserError when the client would find no key."""
    name, key = _name_and_key()
    signed_in = (Path.home() / ".kaggle/credentials.json").is_file()  # of `kaggle auth login`
    if token or (name and key) or signed_in:
        return
    half = "KAGGLE_KEY" if name else "KAGGLE_USERNAME" if key else ""
    missing = f"{half} is missing beside the other one" if half else "there is no API key"
    raise UserError(
        f"kaggle: {missing}; make one at https://www.kaggle.com/settings and put the line KAGGLE_API_TOKEN=… (or KAGGLE_USERNAME=… "
        "and KAGGLE_KEY=…) into the file .env, which git ignores, or the file where Kaggle says."
    )
