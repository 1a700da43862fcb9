"""List the settings of an experiment, of one of its runs, or of a method of augmentation."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from common.core import terminal
from common.core.config import hyphens
from common.core.documented import Group, Setting, first_sentence, groups
from common.core.errors import UserError
from common.core.files import shown
from common.core.messages import brief, cut, listed
from common.core.paths import RUN_NAME, archived_folder, run_folder, wanted_run
from common.runs.catalogue import run_folders
from common.runs.experiments import describe, require_experiment
from common.runs.named import run_settings
from common.runs.record import make_settings
from common.runs.start import config_of

_UNKNOWN = object()
_LONGEST = 120
"""Most characters of a value."""


@dataclass(frozen=True)
class Listing:
    """Settings to list."""

    title: str
    groups: Sequence[Group]
    """The settings with the values of the recipe."""
    change: str
    """The command that changes a setting."""
    folder: Path | None = None
    """The run whose values are listed."""
    recorded: dict[str, Any] = field(default_factory=dict)
    """Values of that run by dotted name, as JSON has them."""

    def value(self, setting: Setting) -> Any:
        """Return the value of the run if there is one, else that of the recipe."""
        return self.recorded.get(setting.name, _UNKNOWN) if self.folder else setting.value

    def changed(self, setting: Setting) -> bool:
        """Return whether the run's value is known and is not that of the recipe."""
        value = self.value(setting)
        return value is not _UNKNOWN and value != setting.value

    @property
    def gone(self) -> dict[str, Any]:
        """The run's settings that the experiment no longer has."""
        known = {setting.name for group in self.groups for setting in group.settings}
        return {name: value for name, value in self.recorded.items() if name not in known}


def of_experiment(experiment: str) -> Listing:
    """Return the settings of an experiment's recipe. Raises UserError when there is no such experiment."""
    about = describe(require_experiment(experiment))
    change = f'make exp={experiment} train run={experiment}-NAME args="--setting value"'
    return Listing(f"{experiment}: {about.title}", groups(config_of(experiment).Config()), change)


def of_run(competition: str, run: str) -> Listing:
    """Return the settings of a run beside those of its experiment's recipe; an archived run counts.

    Raises UserError, which lists the runs, when there is no record of this run.
    """
    if not RUN_NAME.fullmatch(run):
        raise UserError(f"run={brief(run)}: {wanted_run(run)}.")
    recipe = of_experiment(run.split("-")[0])
    folder, archived = run_folder(competition, run), archived_folder(competition, run)
    if not folder.is_dir() and archived.is_dir():
        folder = archived
    settings = run_settings(folder)
    del settings["experiment"]
    if not settings:
        others = listed(path.name for path in run_folders(run_folder(competition, run).parent)) or "none"
        raise UserError(
            f"{cut(run)} is no run of {competition} (runs: {others}); make it with: make exp={run.split('-')[0]} "
            f"train{make_settings(run, competition)}"
        )
    return Listing(recipe.title, recipe.groups, recipe.change, folder, settings)


def plain(listing: Listing) -> dict[str, Any]:
    """Return the listing as JSON values; a setting that the run's record does not have has the value null."""

    def entry(setting: Setting) -> dict[str, Any]:
        value = listing.value(setting)
        return {
            **asdict(setting),
            "value": None if value is _UNKNOWN else value,
            "recipe": setting.value,
            "recorded": value is not _UNKNOWN,
            "changed": listing.changed(setting),
        }

    return {
        "title": listing.title,
        "run": shown(listing.folder) if listing.folder else None,
        "groups": [
            {"name": group.name, "about": group.about, "settings": [entry(one) for one in group.settings]}
            for group in listing.groups
        ],
        "gone": listing.gone,
    }


def text(listing: Listing) -> str:
    """Return the listing for the terminal: for each setting its value and range, below them what it means."""
    lines = [terminal.styled(listing.title, bold=True)]
    if listing.folder:
        count = sum(listing.changed(one) for group in listing.groups for one in group.settings)
        lines.append(
            f"Values of the run {shown(listing.folder)}; {count} of them, marked with *, differ from the recipe"
            if count
            else f"Values of the run {shown(listing.folder)}; all of them are those of the recipe"
        )
    for group in listing.groups:
        head = terminal.styled(group.name or "general", bold=True)
        lines += ["", f"{head}: {group.about}" if group.about else head]
        for setting in group.settings:
            lines += _lines(listing, setting)
    if listing.gone:
        lines += ["", terminal.styled("no longer a setting", bold=True)]
        lines += [f"  {name} = {_value(value)}" for name, value in listing.gone.items()]
    lines += [
        "",
        "To change a setting (the last part of its name is enough while it is unique):",
        listing.change,
    ]
    return terminal.fitted("\n".join(lines))


def _lines(listing: Listing, setting: Setting) -> list[str]:
    value, changed = listing.value(setting), listing.changed(setting)
    now = "not in the run's record" if value is _UNKNOWN else _value(value)
    told = f"--{hyphens(setting.name)} = {now}"
    if changed or value is _UNKNOWN:
        told = f"{told} (recipe: {_value(setting.value)})"
    mark = "*" if changed else " "
    line = f"{mark} {terminal.styled(told, 'yellow' if changed else 'cyan')}: {setting.wanted}"
    return [line, *([f"      {first_sentence(setting.meaning)}"] if setting.meaning else [])]


def _value(value: Any) -> str:
    """Return a JSON value as the command line takes it."""
    if isinstance(value, list):
        return cut(",".join(map(str, value)), _LONGEST) or '""'
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return cut(str(value), _LONGEST) or '""'
