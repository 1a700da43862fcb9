"""Look up a question in the newest documentation of a library or model, with a cache.

`common.prompts` does not import this module, because building a prompt needs no HTTP library.
"""

import logging
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from common.core.errors import UserError
from common.core.files import read_json, root, sha256_texts, shown, write_cache
from common.llm import context7
from common.llm.context7 import Context7Config, Library, Passage, UnavailableError, from_environment

LONGEST = 500  # characters of a question; the limit in Context7's docs/openapi.json
LIBRARY_ID = re.compile(r"/[^/\s]+/[^/\s]+([/@][^/\s]+)?")  # the format in the same file
OTHERS = 3  # number of further search results that are kept
FRESH = timedelta(days=7)  # age up to which a cached answer is used
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Documentation:
    """An answer to a question."""

    library: Library
    others: tuple[Library, ...]
    """Further results of the library search, best first; empty if the library was given by its id."""
    passages: tuple[Passage, ...]
    """At least one passage."""
    asked: str
    """Time of the answer: ISO 8601, UTC."""


def lookup(
    question: str, library: str | None = None, config: Context7Config | None = None, *, fresh: bool = False
) -> Documentation:
    """Return passages about a question, from the cache (.cache/docs, 7 days) or from Context7.

    `library` is Context7's id ("/owner/name", or "/owner/name/v1" with a version) or a name to search for; None searches
    with the question. A search uses its best result. `config` defaults to `context7.from_environment()`. `fresh` ignores
    the cache. If Context7 is unavailable, a cached answer of any age is returned and a warning logged.
    Raises UserError if the question is empty or too long or nothing is found, and as `context7.passages` does.
    """
    config = config or from_environment()
    question, library = question.strip(), (library or "").strip()
    if not 0 < len(question) <= LONGEST:
        raise UserError(
            f"docs: the question has {len(question)} characters, wanted 1 to {LONGEST}; "
            'for example: make docs q="Qwen2.5 generation config"'
        )
    if len(library) > LONGEST or (library.startswith("/") and not LIBRARY_ID.fullmatch(library)):
        raise UserError(
            f"docs: library {library[:60]!r}; wanted Context7's id, for example /huggingface/transformers (with a version: "
            "/owner/name/version), or a name to search for."
        )
    digest = sha256_texts([config.base_url, library, question])
    path = root() / ".cache" / "docs" / f"{digest}.json"
    kept = _kept(path)
    if kept and not fresh and _age(kept.asked) < FRESH:
        return kept
    try:
        found = _ask(question, library, config)
    except UnavailableError as error:
        if kept is None:
            raise
        log.warning("warning: %s Using the cached answer of %s.", error, kept.asked[:10])
        return kept
    write_cache(path, asdict(found))
    return found


def text(documentation: Documentation) -> str:
    """Return the documentation as text: the library, the other results, then title, text and source of each passage."""
    chosen = documentation.library
    lines = [f"{chosen.title} ({chosen.id}), as of {documentation.asked[:10]}"]
    if documentation.others:
        others = ", ".join(f"{other.id} ({other.title})" for other in documentation.others)
        lines.append(f"also found: {others}; choose one with lib={documentation.others[0].id}")
    for passage in documentation.passages:
        lines += ["", f"## {passage.title}", passage.text.strip("\n")]
        lines += [f"source: {passage.source}"] if passage.source else []
    return "\n".join(lines)


def _kept(path: Path) -> Documentation | None:
    """Return the cached answer; None if there is none or the file is damaged."""
    if not path.exists():
        return None
    try:
        value = read_json(path)
        _age(value["asked"])
        return Documentation(
            library=Library(**value["library"]),
            others=tuple(Library(**other) for other in value["others"]),
            passages=tuple(Passage(**passage) for passage in value["passages"]),
            asked=value["asked"],
        )
    except (UserError, KeyError, TypeError, ValueError):
        log.warning("warning: %s: not a cached answer; asking Context7 again", shown(path))
        return None


def _age(asked: str) -> timedelta:
    return datetime.now(UTC) - datetime.fromisoformat(asked)


def _ask(question: str, library: str, config: Context7Config) -> Documentation:
    with context7.session(config) as opened:
        found = [Library(library, library)]
        if not library.startswith("/"):
            found = context7.search(opened, config, library or question, question)
        if not found:
            raise UserError(
                f"docs: Context7 finds no library for {library or question!r}; give its name, for example lib=transformers, "
                "or its id from https://context7.com: lib=/OWNER/NAME"
            )
        passages = context7.passages(opened, config, found[0].id, question)
    others = tuple(found[1 : 1 + OTHERS])
    if not passages:
        instead = others[0].id if others else "/OWNER/NAME"
        raise UserError(
            f"docs: {found[0].id} has no passage about {question!r}; rephrase the question, or give another library: "
            f"lib={instead}"
        )
    return Documentation(found[0], others, tuple(passages), datetime.now(UTC).isoformat(timespec="seconds"))
