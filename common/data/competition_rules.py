"""Reject models and data that an entry must not use: forbidden sources and other competitions' rows."""

import contextlib
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from common.core.errors import UserError
from common.core.files import root, shown, user_path
from common.core.mistyped import likely
from common.data.competition import Competition

API = "llm.model"  # the name that an API gives a model: neither a folder nor a hub id
_SUMMARY = re.compile(r"summar[^\W\d_]*")
_PLACES = re.compile(r"(competitions|outputs)/([^/]+)/")


def forbidden_source_in(name: str, sources: Iterable[str]) -> str | None:
    """Return the first of the sources that occurs in the name, or None.

    Case and punctuation are ignored, so dialog-sum matches DialogSum. Each part of a path is searched on its own.
    Words such as "summary" do not match "sum": a model called dialog-summarization may be trained on any data.
    """
    parts = [_letters(part) for part in re.split(r"[/\\]", name)]
    return next((source for source in sources if any(_letters(source) in part for part in parts)), None)


def nearest(name: str, existing: Sequence[str], load: Callable[[str], Competition]) -> str | None:
    """Return the competition that a mistyped name most likely means; None when no name is similar.

    Data that another competition forbids comes last: whoever mistypes the name of that competition must not be led to it.
    """
    forbidden: set[str] = set()
    for other in existing:
        with contextlib.suppress(UserError):  # an invalid competition.toml has no say in this
            sources = load(other).forbidden_sources
            forbidden |= {one for one in existing if forbidden_source_in(one, sources)}
    return next(iter(likely(name, existing, last=forbidden)), None)


def _letters(text: str) -> str:
    return "".join(sign for sign in _SUMMARY.sub("·", text.casefold()) if sign.isalnum() or sign == "·")


def models_of(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return the settings (`config.plain`) that name a model: {"base.model": "digit82/kobart-summarization"}."""
    named = {key: value for key, value in settings.items() if key.rsplit(".", 1)[-1] == "model"}
    return {key: value for key, value in named.items() if isinstance(value, str) and value}


def require_allowed(
    competition: Competition, where: str, settings: Mapping[str, Any], declared: Mapping[str, Iterable[str]]
) -> None:
    """Raise UserError when a model in the settings is forbidden; the message starts with `where`.

    A model is forbidden when it was trained on another competition's rows, or when its name, model card or config.json
    names a forbidden source. `declared`: the sources that each model names, by `model_cards.declared`.
    """
    for key, name in models_of(settings).items():
        names = _names(name)
        sources = (forbidden_source_in(text, competition.forbidden_sources) for text in names)
        if source := next(filter(None, sources), None):
            raise _refusal(competition, where, f"--{key} {name}", source)
        places = (place[2] for text in names if (place := _PLACES.match(text)))
        if other := next((place for place in places if place != competition.name), None):
            raise UserError(
                f"{where}: --{key} {name} was trained on rows of {other}, and an entry for {competition.name} may only use "
                "its own rows. Choose another model."
            )
    for name, others in declared.items():
        for other in others:
            if source := forbidden_source_in(other, competition.forbidden_sources):
                raise _refusal(competition, where, f"{name} names {other} in its model card or config.json", source)  # fmt: skip


def _names(name: str) -> list[str]:
    """Return a model's name, and its paths relative to the repository when it is inside.

    The parent folders of the repository are not part of the model's name. "outputs" may be a link to another disk.
    """
    path = user_path(name)
    found = [] if path.is_absolute() else [name]
    written = root() / path
    try:
        real, outputs = written.resolve(), (root() / "outputs").resolve()
    except (OSError, ValueError, RuntimeError):  # a name that no folder can have; a loop of links
        return found or [name]
    for place, base, start in (
        (Path(os.path.normpath(written)), root(), "."),
        (real, root().resolve(), "."),
        (real, outputs, "outputs"),
    ):
        if place.is_relative_to(base):
            found.append(str(Path(start, place.relative_to(base))))
    return found or [name]


def _refusal(competition: Competition, where: str, found: str, source: str) -> UserError:
    return UserError(
        f"{where}: {found}, and {competition.name} forbids {source} "
        f"({shown(competition.folder / 'competition.toml')}, [rules] forbidden_sources); an entry made with it would break "
        "the rules. Choose another model, or rename the folder if only its name matches."
    )


def require_stage(competition: Competition, where: str, stage: Mapping[str, Any]) -> None:
    """Raise UserError when the record of a stage breaks the present rules; the message starts with `where`.

    A record breaks them when the run belongs to another competition, read another competition's rows, used a forbidden
    model or file, or used a higher near-copy threshold than the competition has now.
    """
    if stage["competition"] != competition.name:
        raise UserError(
            f"{where}: was made for {stage['competition']}, and an entry for {competition.name} may only use its own rows. "
            f"Move the run back to outputs/{stage['competition']}."
        )
    for path in stage["data"]:
        place = _PLACES.match(path)
        if place and place[2] != competition.name:
            raise UserError(
                f"{where}: read {path}, and an entry for {competition.name} may only use its own rows. Train again without "
                "that file."
            )
        if source := forbidden_source_in(path, competition.forbidden_sources):
            raise _refusal(competition, where, f"it read {path}", source)
    require_allowed(competition, where, stage["config"], stage.get("sources", {}))
    near_copy = stage["notes"].get("near_copy", 0.0)
    if near_copy > competition.near_copy:
        raise UserError(
            f"{where}: was run with near_copy {near_copy}, and {competition.name} now has {competition.near_copy}, so it "
            "may have seen near-copies. Run it again with restart=1."
        )
