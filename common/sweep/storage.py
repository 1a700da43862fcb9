"""Open the storage of a sweep's study: a journal file on this machine, or a PostgreSQL database for several machines.

A password is never shown, recorded or handed to a trial.
"""

import contextlib
import importlib.util
import os
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from filelock import FileLock

from common.core.errors import UserError, first_line
from common.core.files import root, shown
from common.core.json_lines import repair_last_line
from common.core.messages import quoted
from common.llm.keys import read_secret

VARIABLE = "KDS_STORAGE"
"""Environment variable, or entry of .env, that names the storage when the command line does not."""
FILE = "file"
"""Value of storage= that means the journal file, whatever the environment says."""
JOURNAL = "journal.jsonl"
_INSTALL = "install it with: .venv/bin/pip install -c constraints.txt -e '.[sweep]'"
_SECONDS = 10
"""Longest wait for a connection to the database."""
_KEEPALIVE = {
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
"""Options of a connection, so that it ends when the network does, instead of waiting for ever."""
_LONGEST_LOCK = 60
"""Longest wait, in seconds, for another worker that holds the study's lock."""
_KEY = 7_305_226_411
"""Number of the database lock under which tables are created and trials are claimed."""


class StorageDownError(UserError):
    """The storage cannot be reached, now; it may be reachable later."""


@dataclass(frozen=True)
class Storage:
    """An open storage."""

    optuna: Any
    """The storage as Optuna has it."""
    name: str
    """What messages call it: the path of a file, or a URL without user and password."""
    locked: Callable[[], contextlib.AbstractContextManager[None]]
    """Return a context in which no other worker of any machine claims a trial."""
    several: bool
    """Whether several machines can use it."""


def storage_url(given: str | None) -> str:
    """Return the URL of the database that `given`, else the environment or .env, names; "" means the journal file.

    Raises UserError, which never shows a password, when it is no URL of a PostgreSQL database.
    """
    url = (given or read_secret(VARIABLE)[0]).strip()
    if url in ("", FILE):
        return ""
    try:
        parts = urlsplit(url)
        scheme, database = parts.scheme.partition("+")[0], parts.path.strip("/")
        _ = parts.port
    except ValueError:
        scheme, database = "", ""
    if scheme not in ("postgresql", "postgres") or not database or re.search(r"\s", url):
        raise UserError(
            f"storage={_safe(url)}: wanted {FILE}, or the URL of a PostgreSQL database, such as "
            "storage=postgresql://db.example.org:5432/sweeps; user and password may also come from PGUSER and PGPASSWORD, or "
            "~/.pgpass."
        )
    return f"postgresql+psycopg{url[len(parts.scheme) :]}"


def _safe(url: str) -> str:
    """Return a URL for a message: without user, password and query."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return quoted(url if "@" not in url and ":" not in url else "…", 60)
    place = re.split(r"[?#]", rest.rpartition("@")[2])[0]
    return quoted(f"{scheme.partition('+')[0]}://{place}", 120).strip("'\"")


def require_optuna() -> None:
    """Raise UserError, with the command that installs it, when optuna is not installed."""
    if importlib.util.find_spec("optuna") is None:
        raise UserError(f"a sweep without W&B needs optuna, which is not installed; {_INSTALL}")


def quiet_optuna() -> Any:
    """Return the package, which says only what goes wrong."""
    require_optuna()
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    return optuna


def open_storage(url: str, folder: Path) -> Storage:
    """Return the storage at a URL of `storage_url`, or the journal file in the folder for "".

    Raises UserError when a package is missing, StorageDownError when the database cannot be reached.
    """
    quiet_optuna()
    return _database(url) if url else _journal(folder)


def _journal(folder: Path) -> Storage:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / JOURNAL
    backend = JournalFileBackend(str(path), lock_obj=_JournalLock(path))
    study = FileLock(folder / ".study.lock")

    @contextlib.contextmanager
    def locked() -> Iterator[None]:
        with study:
            yield

    try:
        return Storage(JournalStorage(backend), shown(path), locked, several=False)
    except ValueError as error:
        raise UserError(
            f"{shown(path)}: is damaged ({first_line(error)}); move it away to begin a new study, or restore it."
        ) from error


class _JournalLock:
    """What Optuna locks its journal with: the system frees it when the process is killed, unlike Optuna's own file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = FileLock(path.with_name(f".{path.name}.lock"))

    def acquire(self) -> bool:
        """Wait for the lock, and end a line that a killed process left torn."""
        self._lock.acquire()
        try:
            repair_last_line(self._path)
        except BaseException:
            self._lock.release()
            raise
        return True

    def release(self) -> None:
        """Release the lock."""
        self._lock.release()


def _database(url: str) -> Storage:
    if any(importlib.util.find_spec(name) is None for name in ("psycopg", "sqlalchemy")):
        raise UserError(f"storage={_safe(url)} needs psycopg, which is not installed; {_INSTALL}")
    from optuna.storages import RDBStorage
    from sqlalchemy import create_engine, text
    from sqlalchemy.pool import NullPool

    options = {"connect_timeout": _SECONDS, "application_name": "sweep", **_KEEPALIVE}
    # A connection of its own for each lock: the server frees the lock when the process that holds it is killed.
    engine = create_engine(url, poolclass=NullPool, connect_args=options, isolation_level="AUTOCOMMIT")

    @contextlib.contextmanager
    def locked() -> Iterator[None]:
        with engine.connect() as connection:
            connection.execute(text(f"SET lock_timeout = '{_LONGEST_LOCK}s'"))
            connection.execute(text(f"SELECT pg_advisory_lock({_KEY})"))
            try:
                yield
            finally:
                with contextlib.suppress(Exception):  # a lost connection has freed it
                    connection.execute(text(f"SELECT pg_advisory_unlock({_KEY})"))

    with reachable(_safe(url), url), locked():  # two workers must not create the tables at the same time
        made = RDBStorage(url, engine_kwargs={"pool_pre_ping": True, "connect_args": options})
    return Storage(made, _safe(url), locked, several=True)


@contextlib.contextmanager
def reachable(name: str, url: str = "") -> Iterator[None]:
    """Raise StorageDownError in place of what Optuna and SQLAlchemy raise when the storage cannot be used.

    `url`: whose password the message must not repeat.
    """
    try:
        yield
    except UserError:
        raise
    except OSError as error:
        raise StorageDownError(f"{name}: cannot be used ({error.strerror}); make it writable.") from error
    except Exception as error:
        if type(error).__module__.split(".")[0] not in ("sqlalchemy", "psycopg", "optuna"):
            raise
        raise StorageDownError(
            f"storage={name}: cannot be used ({_cause(error, url)}). Check that the server runs and lets this user in, then run "
            "the same command again."
        ) from None  # the original repeats the URL


def _cause(error: BaseException, url: str) -> str:
    """Return the line of an error that says most, without the password."""
    inner = getattr(error, "orig", None) or error.__cause__ or error
    text = first_line(inner if isinstance(inner, BaseException) else error)
    password = urlsplit(url).password or ""
    for secret in (password, unquote(password), os.environ.get("PGPASSWORD", "")):
        text = text.replace(secret, "…") if secret else text
    return text.removesuffix(".")


def sweep_folder(competition: str, experiment: str, name: str) -> Path:
    """Return the folder of a sweep's own files: outputs/COMPETITION/sweeps/EXPERIMENT-NAME."""
    return root() / "outputs" / competition / "sweeps" / f"{experiment}-{name}"
