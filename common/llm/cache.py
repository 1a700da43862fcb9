"""Paid answers on disk: one SQLite file that several processes share, whole after a kill at any moment."""

import contextlib
import hashlib
import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

from common import files
from common.errors import UserError
from common.files import shown
from common.llm.config import LLMConfig, endpoint
from common.prompts import Message

_VERSION = 1
_SYNC = 1.0  # seconds of paid answers that a power cut may take; no other end of the process takes any
_AT_ONCE = 500  # hashes that one query asks for
_PATIENCE = 60.0  # seconds that another process may hold the file


@dataclass(frozen=True)
class Stored:
    """An answer as the server gave it, the key redacted; nothing else was checked or changed."""

    text: str
    finish: str
    """The server's finish_reason, "" when it gave none."""
    prompt_tokens: int
    completion_tokens: int


def default_path() -> Path:
    """Where answers are kept unless the caller says otherwise."""
    return files.root() / ".cache" / "llm.sqlite"


def body(config: LLMConfig, messages: Sequence[Message]) -> dict[str, Any]:
    """What is posted: the parameters and messages of one call."""
    return {
        "model": config.model,
        "messages": [{"role": message.role, "content": message.content} for message in messages],
        "temperature": float(config.temperature),
        "frequency_penalty": float(config.frequency_penalty),
        "max_tokens": config.max_tokens,
        "stream": False,
    }


def request_hash(config: LLMConfig, messages: Sequence[Message], sample: int) -> str:
    """Hex sha256 of all that decides an answer: URL, model, parameters, messages, sample number. Never the key."""
    content = {"url": endpoint(config), "sample": sample, "body": body(config, messages)}
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


class Cache:
    """The answers of one file, by `request_hash`; used from many threads.

    Every method raises UserError when the file is broken, cannot be written or the disk is full.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._syncing = threading.Lock()
        self._synced = time.monotonic()
        with self._explained():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = self._connect()
            try:
                self._set_up()
            except BaseException:
                self._connection.close()
                raise

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)

    def _set_up(self) -> None:
        # Two processes that both make the file: switching to WAL does not wait for a lock as statements do.
        for attempt in Retrying(
            retry=retry_if_exception(lambda error: "locked" in str(error)),
            stop=stop_after_delay(_PATIENCE), wait=wait_random(0.01, 0.1), reraise=True,
        ):  # fmt: skip
            with attempt:
                mode = self._connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
                # A commit survives whatever ends the process; what a power cut spares is `_SYNC`'s business.
                self._connection.execute("PRAGMA synchronous=NORMAL")
                version = self._connection.execute("PRAGMA user_version").fetchone()[0]
                if version == 0:
                    self._connection.execute(
                        "CREATE TABLE IF NOT EXISTS answers (hash TEXT PRIMARY KEY, text TEXT NOT NULL, finish TEXT NOT NULL, "
                        "prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, "
                        "made TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP)"
                    )
                    self._connection.execute(f"PRAGMA user_version={_VERSION}")
        if version not in (0, _VERSION):
            raise UserError(
                f"{shown(self.path)}: made by another version of this repository (format {version}, wanted {_VERSION}); "
                "move it aside to begin a new one, or check the newer version out."
            )
        if mode != "wal":
            raise UserError(
                f"{shown(self.path)}: its disk has no write-ahead log (journal mode {mode}; a network disk?); "
                "name a file on a local disk."
            )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise UserError(
                f"{shown(self.path)}: the cache of answers cannot be used ({error}); make it writable, free some space, "
                "or wait for the process that holds it."
            ) from error
        except sqlite3.DatabaseError as error:
            raise UserError(
                f"{shown(self.path)}: the cache of answers is broken ({error}). It holds answers that were paid for: "
                "restore a copy of it, or move it aside to ask everything anew."
            ) from error
        except OSError as error:
            raise UserError(
                f"{shown(self.path)}: the cache of answers cannot be written ({error.strerror}); make its folder writable."
            ) from error

    def get(self, key: str) -> Stored | None:
        """The answer to a request, None when there is none."""
        return self.get_all([key]).get(key)

    def get_all(self, keys: Iterable[str]) -> dict[str, Stored]:
        """The answers there are, by hash."""
        wanted = list(dict.fromkeys(keys))
        found: dict[str, Stored] = {}
        for first in range(0, len(wanted), _AT_ONCE):
            some = wanted[first : first + _AT_ONCE]
            marks = ", ".join("?" * len(some))
            with self._lock, self._explained():
                rows = self._connection.execute(
                    f"SELECT hash, text, finish, prompt_tokens, completion_tokens FROM answers WHERE hash IN ({marks})",
                    some,
                ).fetchall()
            found |= {key: Stored(*answer) for key, *answer in rows}
        return found

    def put(self, key: str, answer: Stored, *, replace: bool = False) -> Stored:
        """Commit an answer durably; what is kept: another process may have been first, unless it is to be replaced."""
        with self._lock, self._explained():
            kept = self._commit(key, answer, "REPLACE" if replace else "IGNORE")
        self._sync()
        return kept

    def _sync(self) -> None:
        """Bring commits to the disk, when the last time is `_SYNC` seconds ago; closing does so too."""
        if time.monotonic() - self._synced < _SYNC or not self._syncing.acquire(blocking=False):
            return
        try:
            with contextlib.suppress(OSError):  # the next commit says what is wrong with the disk
                log = os.open(f"{self.path}-wal", os.O_RDONLY)
                try:
                    os.fsync(log)
                finally:
                    os.close(log)
            self._synced = time.monotonic()
        finally:
            self._syncing.release()

    def _commit(self, key: str, answer: Stored, how: str) -> Stored:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._connection.execute(
                f"INSERT OR {how} INTO answers (hash, text, finish, prompt_tokens, completion_tokens) "
                "VALUES (?, ?, ?, ?, ?)",
                (key, answer.text, answer.finish, answer.prompt_tokens, answer.completion_tokens),
            )
            kept = self._select(key)
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        return kept or answer

    def _select(self, key: str) -> Stored | None:
        row = self._connection.execute(
            "SELECT text, finish, prompt_tokens, completion_tokens FROM answers WHERE hash = ?", (key,)
        ).fetchone()
        return Stored(*row) if row else None

    def close(self) -> None:
        """Give the file back."""
        with self._lock:
            self._connection.close()
