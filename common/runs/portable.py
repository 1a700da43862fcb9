"""Take out of a record what belongs to one machine or person: folders, user and host names; refuse secrets."""

import getpass
import os
import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from common.core.errors import UserError
from common.core.files import root, shown
from common.core.secrets import secret_in

_HASHES = ("sha256", "checkpoint", "commit", "revision")
"""Last parts of the names of values that are hashes, which look like keys."""
_OF_HASHES = ("code", "files", "runs")
_PATH = re.compile(
    r"(?:(?<![\w./:…~<-])|(?<=file://))(?:~|[A-Za-z]:)?[/\\](?:[^\s/\\\"'=,;:()\[\]<>]+[/\\])+[^\s/\\\"'=,;:()\[\]<>]*"
)
_ABSOLUTE = re.compile(r"(?:~?/|[A-Za-z]:\\).")
_USUAL = re.compile(
    r"(?:~|[A-Za-z]:\\|/(?:home|root|Users|mnt|media|data|srv|opt|tmp|var|scratch|workspace|content|nfs)/)[^\n]*\Z"
)
"""A path in a folder where people keep models, which may have spaces."""
_SECRET_NAMES = re.compile(r"(?i)key|token|secret|passw|credential|authorization")
_GENERIC = {
    "root",
    "ubuntu",
    "user",
    "admin",
    "train",
    "infer",
    "test",
    "data",
    "dev",
    "student",
    "jovyan",
    "localhost",
}
"""Names of accounts and machines that say nothing about a person, and may be words of a record."""
_SHORTEST_SECRET, _SHORTEST_NAME = 8, 3


def portable_value(value: Any) -> Any:
    """Return a setting's value without this machine's folders: inside the repository relative, else "…/" and the last name."""
    if isinstance(value, list):
        return [portable_value(entry) for entry in value]
    if not isinstance(value, str) or not Path(value).is_absolute():
        return value
    name = shown(Path(value))
    return f"…/{Path(value).name}" if Path(name).is_absolute() else name


def portable_record(value: Any, where: str) -> Any:
    """Return a JSON value without folders, user and host names of this machine.

    Raises UserError, which names the place but not the value, for what looks like a secret.
    """
    return _portable(value, (), where, _names())


def _portable(value: Any, place: Sequence[str], where: str, names: "re.Pattern[str] | None") -> Any:
    if isinstance(value, dict):
        return {
            _text(key, (*place, key), where, names): _portable(entry, (*place, key), where, names)
            for key, entry in value.items()
        }
    if isinstance(value, list):
        return [_portable(entry, place, where, names) for entry in value]
    return _text(value, place, where, names) if isinstance(value, str) else value


def _text(text: str, place: Sequence[str], where: str, names: "re.Pattern[str] | None") -> str:
    last = place[-1].rpartition(".")[2] if place else ""
    of_hashes = last in _HASHES or any(part in _OF_HASHES for part in place[:-1])
    is_hash = re.fullmatch(r"[0-9a-f]{64}", text) or (of_hashes and re.fullmatch(r"[0-9a-f]{40}", text))
    if not is_hash and (kind := secret_in(text, commit=last in _HASHES)):
        raise UserError(
            f"{where}: {'.'.join(place[:-1]) or 'the record'} holds what looks like {kind}; nothing was exported. Remove it from the file, "
            "and replace the key, which other people may have read."
        )
    if _is_path(text):
        name = shown(Path(text))
        text = _last_name(text) if name == text else name
    text = text.replace(f"{root()}/", "").replace(f"{Path.home()}/", "…/")
    text = _PATH.sub(lambda found: _last_name(found[0]), text)
    return names.sub("…", text) if names else text


def _is_path(text: str) -> bool:
    """Return whether a whole text is an absolute path of several names; one with spaces must exist, prose need not be one."""
    if not _ABSOLUTE.match(text) or len(re.findall(r"[/\\]", text)) < 2:
        return False
    try:
        return not re.search(r"\s", text) or _USUAL.match(text) is not None or Path(text).exists()
    except (OSError, ValueError):  # too long for a path
        return False


def _last_name(path: str) -> str:
    *_, parent, last = re.split(r"[/\\]", path.rstrip("/\\"))
    return "…" if parent.lower() in ("home", "users") else f"…/{last}"  # somebody's home folder


def _names() -> "re.Pattern[str] | None":
    """Return a pattern for the names of this user and this machine as whole words; None without such a name."""
    found = {os.environ.get(name, "") for name in ("USER", "LOGNAME", "HOSTNAME")} | {Path.home().name}
    found |= {socket.gethostname(), socket.gethostname().partition(".")[0]}
    with suppress(OSError, KeyError):  # a user without an entry in the system's list
        found.add(getpass.getuser())
    chosen = [
        n for n in found if len(n) >= _SHORTEST_NAME and n.lower() not in _GENERIC and not n.isdecimal()
    ]
    if not chosen:
        return None
    options = "|".join(re.escape(name) for name in sorted(chosen, key=len, reverse=True))
    return re.compile(rf"(?i)(?<!\w)(?:{options})(?!\w)")


def private_parts() -> dict[bytes, str]:
    """Return what no exported file may contain → what it is: this machine's folders, and the values of keys.

    Keys are those of the environment and of the repository's file .env.
    """
    found = {
        f"{folder}/".encode(): "a folder of this machine"
        for folder in (root(), Path.home())
        if len(folder.parts) > 1
    }
    values = dict(os.environ)
    env = root() / ".env"
    own = dotenv_values(env, interpolate=False) if env.is_file() else {}
    for name, value in {**values, **own}.items():
        known = _SECRET_NAMES.search(name) or secret_in(value or "")
        if known and value and len(value.strip()) >= _SHORTEST_SECRET and not Path(value.strip()).exists():
            found[value.strip().encode("utf-8", "surrogateescape")] = f"the value of {name}"
    return found


def private_in(content: bytes, parts: dict[bytes, str]) -> str:
    """Return what of `parts` a file contains; "" when nothing."""
    return next((what for part, what in parts.items() if part in content), "")


def paths_in_settings(value: Any, name: str = "") -> Iterator[str]:
    """Yield the names of the JSON values that are absolute paths: those whose name says that they are a path or a file."""
    if isinstance(value, dict):
        for key, entry in value.items():
            yield from paths_in_settings(entry, str(key))
    elif isinstance(value, list):
        for entry in value:
            yield from paths_in_settings(entry, name)
    elif isinstance(value, str) and re.search(r"path|file|dir|folder", name) and _ABSOLUTE.match(value):
        yield name
