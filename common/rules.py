"""What an entry may not be made of: forbidden sources in the names of models and data, and other competitions' rows."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from common.competition import Competition
from common.errors import UserError
from common.files import root, shown

API = "llm.model"  # the endpoint's name for a model: neither folder nor hub id
_SUMMARY = re.compile(r"summar[^\W\d_]*")
_PLACES = re.compile(r"(competitions|outputs)/([^/]+)/")


def source_in(name: str, sources: Iterable[str]) -> str | None:
    """The first of the sources that a name holds, or None. Case and punctuation do not count: dialog-sum is DialogSum.

    The parts of a path are looked at one by one. The word "summary" and its kin are no "sum": a model called
    dialog-summarization may have been made from anything.
    """
    parts = [_letters(part) for part in re.split(r"[/\\]", name)]
    return next((source for source in sources if any(_letters(source) in part for part in parts)), None)


def _letters(text: str) -> str:
    return "".join(sign for sign in _SUMMARY.sub("·", text.casefold()) if sign.isalnum() or sign == "·")


def models_of(settings: Mapping[str, Any]) -> dict[str, str]:
    """The settings (`config.plain`) that name a model, and the names: {"base.model": "digit82/kobart-summarization"}."""
    named = {key: value for key, value in settings.items() if key.rsplit(".", 1)[-1] == "model"}
    return {key: value for key, value in named.items() if isinstance(value, str) and value}


def require_allowed(
    competition: Competition, where: str, settings: Mapping[str, Any], declared: Mapping[str, Iterable[str]]
) -> None:
    """Nothing when no model that the settings name is another competition's, or holds a forbidden source in its name
    or in what it declares.

    `declared`: what models say of themselves, as `cards.declared` found it, by the model's name.
    Raises UserError beginning with `where`.
    """
    for key, name in models_of(settings).items():
        if source := source_in(_inside(name), competition.forbidden_sources):
            raise _refusal(competition, where, f"--{key} {name}", source)
        place = _PLACES.match(_inside(name))
        if place and place[2] != competition.name:
            raise UserError(
                f"{where}: --{key} {name} learned from the rows of {place[2]}, and an entry for {competition.name} may learn "
                "from its own rows only. Name another model."
            )
    for name, others in declared.items():
        for other in others:
            if source := source_in(other, competition.forbidden_sources):
                raise _refusal(competition, where, f"{name} says of itself that it was made from {other}", source)  # fmt: skip


def _inside(name: str) -> str:
    """A path inside the repository without what leads there, whose name is none of the model's."""
    path = Path(name).expanduser()
    return shown(path) if path.is_absolute() and path.resolve().is_relative_to(root()) else name


def _refusal(competition: Competition, where: str, found: str, source: str) -> UserError:
    return UserError(
        f"{where}: {found}, and {competition.name} forbids {source} "
        f"({shown(competition.folder / 'competition.toml')}, [rules] forbidden_sources); an entry made with it would be "
        "against the rules. Name another model, or rename a folder that only sounds like it."
    )


def require_stage(competition: Competition, where: str, stage: Mapping[str, Any]) -> None:
    """Nothing when what a stage of a run recorded is within the rules as they are now.

    Raises UserError beginning with `where`: the run is another competition's, it read rows of another one, a model is
    from a forbidden source, or it was kept from near-copies less than the competition asks for now.
    """
    if stage["competition"] != competition.name:
        raise UserError(
            f"{where}: was made for {stage['competition']}, not for {competition.name}, whose entries may learn from its "
            "own rows only. Move it back to where it came from."
        )
    for path in stage["data"]:
        place = _PLACES.match(path)
        if place and place[2] != competition.name:
            raise UserError(
                f"{where}: read {path}, and an entry for {competition.name} may learn from its own rows only. Train it anew "
                "without that file."
            )
        if source := source_in(path, competition.forbidden_sources):
            raise _refusal(competition, where, f"it read {path}", source)
    require_allowed(competition, where, stage["config"], stage.get("sources", {}))
    near_copy = stage["notes"].get("near_copy", 0.0)
    if near_copy > competition.near_copy:
        raise UserError(
            f"{where}: counted two dialogues as one told twice from {near_copy} on, and {competition.name} does from "
            f"{competition.near_copy} on: it may have seen near-copies. Run it anew with restart=1."
        )
