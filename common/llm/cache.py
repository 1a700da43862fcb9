"""Keep paid answers on disk: one SQLite file that several processes share and that survives a kill at any moment."""

import contextlib
import hashlib
import json
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

from common.core.errors import UserError
from common.core.files import root, shown
from common.core.temporary import sweep, temporary_file
from common.llm.config import LLMConfig, endpoint
from common.llm.parameters import further
from common.prompts import Message

log = logging.getLogger(__name__)
_VERSION = 1
_SYNC = 1.0  # seconds of answers that a power cut may lose; a kill or a crash loses none
_KEYS_PER_QUERY = 500  # hashes in one query
_LOCK_TIMEOUT = 60.0  # seconds to wait while another process locks the file


@dataclass(frozen=True)
class Stored:
    """An answer as the server sent it; only the key is redacted."""

    text: str
    finish: str
    """The server's finish_reason, "" if there was none."""
    prompt_tokens: int
    completion_tokens: int


def default_path() -> Path:
    """Return the default path of the cache file."""
    return root() / ".cache" / "llm.sqlite"


def number_kept(path: Path) -> int:
    """Return how many answers a cache file holds; 0 when there is none or it cannot be read."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            count: int = connection.execute("SELECT count(*) FROM answers").fetchone()[0]
    except sqlite3.Error:
        return 0
    return count


def body(config: LLMConfig, messages: Sequence[Message]) -> dict[str, Any]:
    """Return the body of one call as a JSON object: parameters and messages. Raises UserError for an invalid `extra`."""
    sent = {
        "model": config.model,
        "messages": [{"role": message.role, "content": message.content} for message in messages],
        "temperature": float(config.temperature),
        "frequency_penalty": float(config.frequency_penalty),
        config.max_tokens_name: config.max_tokens,
        "stream": False,
    }
    kept = {name: value for name, value in sent.items() if name not in config.leave_out}
    return kept | further(config.max_tokens_name, config.extra)


def request_hash(config: LLMConfig, messages: Sequence[Message], sample: int) -> str:
    """Return the hex sha256 of everything that decides an answer: URL, model, parameters, messages and sample number.

    The API key is not part of it.
    """
    content = {"url": endpoint(config), "sample": sample, "body": body(config, messages)}
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


class Cache:
    """The answers in one file, by `request_hash`; safe to use from several threads.

    A file that cannot be written is still read. Every method raises UserError when the file is damaged, when it is
    locked for too long, and when an answer cannot be kept.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._syncing = threading.Lock()
        self._synced = time.monotonic()
        self._reserve: Path | None = None
        self._refused = ""  # why no new answer can be kept
        with self._as_user_error():
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                sweep(path.parent)  # the room that a killed process held
                self._connection = self._connect()
                try:
                    self._set_up()
                except BaseException:
                    self._connection.close()
                    raise
            except (OSError, sqlite3.OperationalError) as error:
                if "locked" in str(error) or not path.is_file():
                    raise
                self._refused = str(error)
                log.warning(
                    "warning: %s: cannot be written (%s); its answers are used, but no new ones are asked for.",
                    shown(path),
                    error,
                )
                self._connection = sqlite3.connect(
                    f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
                )
                self._connection.execute("SELECT hash FROM answers LIMIT 1")

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(
            self.path, timeout=_LOCK_TIMEOUT, isolation_level=None, check_same_thread=False
        )

    def _set_up(self) -> None:
        # When two processes create the file, switching to WAL fails at once instead of waiting for the lock.
        for attempt in Retrying(
            retry=retry_if_exception(lambda error: "locked" in str(error)),
            stop=stop_after_delay(_LOCK_TIMEOUT), wait=wait_random(0.01, 0.1), reraise=True,
        ):  # fmt: skip
            with attempt:
                mode = self._connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
                # NORMAL: a commit survives the end of the process; `_sync` limits what a power cut can lose.
                self._connection.execute("PRAGMA synchronous=NORMAL")
                version = self._connection.execute("PRAGMA user_version").fetchone()[0]
                if version == 0:
                    self._connection.execute(
                        "CREATE TABLE IF NOT EXISTS answers (hash TEXT PRIMARY KEY, text TEXT NOT NULL, finish TEXT NOT NULL, "
                        "prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, "
                        "made TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP)"
                    )
                    self._connection.execute(f"PRAGMA user_version={_VERSION}")
                # Refused when the file may only be read.
                self._connection.execute("BEGIN IMMEDIATE")
                self._connection.execute(f"PRAGMA user_version={version or _VERSION}")
                self._connection.execute("ROLLBACK")
        if version not in (0, _VERSION):
            raise UserError(
                f"{shown(self.path)}: made by another version of this repository (format {version}, wanted {_VERSION}); "
                "move it aside to start a new one, or check out the version that made it."
            )
        if mode != "wal":
            raise UserError(
                f"{shown(self.path)}: its disk does not support a write-ahead log (journal mode {mode}; a network disk?); "
                "choose a file on a local disk."
            )

    @contextmanager
    def _as_user_error(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise UserError(
                f"{shown(self.path)}: the cache of answers cannot be used ({error}); make it writable, free some space, "
                "or wait for the process that locks it."
            ) from error
        except sqlite3.DatabaseError as error:
            raise UserError(
                f"{shown(self.path)}: the cache of answers is damaged ({error}). It holds answers that were paid for: "
                "restore a copy of it, or move it aside to ask and pay for everything again."
            ) from error
        except OSError as error:
            raise UserError(
                f"{shown(self.path)}: the cache of answers cannot be written ({error.strerror}); make its folder writable."
            ) from error

    @contextmanager
    def room(self, size: int) -> Iterator[None]:
        """Hold `size` bytes of the disk inside this context, so that answers that are paid for can be kept.

        They are given up when the disk is full; from then on `require_room` refuses. Raises UserError when there is no
        such room, or the cache cannot be written.
        """
        self.require_room()
        try:
            self._reserve = temporary_file(self.path)
            with self._reserve.open("wb") as handle:
                handle.write(bytes(size))
                handle.flush()
                os.fsync(handle.fileno())
        except OSError as error:
            self._give_up_reserve()
            raise UserError(
                f"{shown(self.path)}: no room for new answers ({error.strerror}; wanted {size:,} bytes); nothing was asked. "
                "Free some space, and make its folder writable."
            ) from error
        try:
            yield
        finally:
            self._give_up_reserve()

    def require_room(self) -> None:
        """Raise UserError when the next answer could not be kept, before it is paid for."""
        if self._refused:
            raise UserError(
                f"{shown(self.path)}: the cache of answers cannot be used ({self._refused}), so new answers would be paid for "
                "and lost; make it writable or free some space."
            )

    def _give_up_reserve(self) -> bool:
        reserve, self._reserve = self._reserve, None
        if reserve is None:
            return False
        with contextlib.suppress(OSError):
            reserve.unlink()
        return True

    def get(self, key: str) -> Stored | None:
        """Return the answer to a request, None if it is not cached."""
        return self.get_all([key]).get(key)

    def get_all(self, keys: Iterable[str]) -> dict[str, Stored]:
        """Return the cached answers among `keys`, by hash."""
        wanted = list(dict.fromkeys(keys))
        found: dict[str, Stored] = {}
        for first in range(0, len(wanted), _KEYS_PER_QUERY):
            some = wanted[first : first + _KEYS_PER_QUERY]
            marks = ", ".join("?" * len(some))
            with self._lock, self._as_user_error():
                rows = self._connection.execute(
                    f"SELECT hash, text, finish, prompt_tokens, completion_tokens FROM answers WHERE hash IN ({marks})",  # nosec B608: only question marks
                    some,
                ).fetchall()
            found |= {key: Stored(*answer) for key, *answer in rows}
        return found

    def put(self, key: str, answer: Stored, *, replace: bool = False) -> Stored:
        """Commit an answer and return the one that is kept.

        That is the answer of another process if it was first, unless `replace` is set.
        """
        how = "REPLACE" if replace else "IGNORE"
        with self._lock, self._as_user_error():
            try:
                kept = self._commit(key, answer, how)
            except sqlite3.OperationalError as error:
                self._refused = str(error)
                if not self._give_up_reserve():
                    raise
                kept = self._commit(key, answer, how)
        self._sync()
        return kept

    def _sync(self) -> None:
        """Flush commits to the disk if the last flush is `_SYNC` seconds ago; `close` flushes too."""
        if time.monotonic() - self._synced < _SYNC or not self._syncing.acquire(blocking=False):
            return
        try:
            with contextlib.suppress(OSError):  # the next commit reports the error of the disk
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
        """Close the file."""
        with self._lock:
            self._connection.close()
