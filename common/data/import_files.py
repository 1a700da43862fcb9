"""Import the organisers' files (`make data`): check all of them in a staging folder, then replace the old ones at once."""

import os
from collections.abc import Mapping
from pathlib import Path

from common.core.errors import UserError
from common.data import checks, releases
from common.data.checks import Checked, check_same_ids
from common.data.competition import Competition
from common.data.competition_file import set_active_competition
from common.data.replace_files import put_in_place, staging_folder
from common.data.sources import Found, choose, opened, parts


def import_data(competition: Competition, source: Path) -> list[str]:
    """Check the declared files of `source`, replace the old ones by them and make the competition the active one.

    Return one report line for each file, with its rows and warnings, and one for splits that may be of different releases.
    `source` is a folder or a .zip; the files may be in subfolders.
    Raises UserError when a file is missing, invalid or found twice, when the archive is damaged or has paths outside
    its root, or when writing fails; then nothing has changed.
    """
    with opened(source) as found:
        chosen = choose(competition, source, found)
        with staging_folder(competition) as staging:
            for path, item in chosen.items():
                _copy(item, staging / path)
            report = _check(competition, chosen, staging)
            put_in_place(competition, staging, list(chosen))
            set_active_competition(competition.name)
    return report


def _copy(item: Found, target: Path) -> None:
    """Copy one file; reading an archive entry to its end also verifies its checksum."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as copy:
            for part in parts(item):
                copy.write(part)
            copy.flush()
            os.fsync(copy.fileno())
    except OSError as error:
        raise UserError(
            f"{item.label}: cannot be copied ({error.strerror}); nothing was changed. Free some space, or make the "
            "competition's folder writable."
        ) from error


def _check(competition: Competition, chosen: Mapping[str, Found], staging: Path) -> list[str]:
    """Check every staged file, compare sample and solution with test, and return the report lines."""
    checked = {
        kind: checks.check(competition, kind, staging / spec.path, chosen[spec.path].label)
        for kind, spec in competition.files.items()
    }
    for kind in ("sample", "solution"):
        if kind in checked:
            check_same_ids(competition, kind, checked[kind], checked["test"])
    report = []
    for path in chosen:
        kinds = [kind for kind, spec in competition.files.items() if spec.path == path]
        notes = {
            name: f"{count} × {checked[kind].examples[name]}"
            for kind in kinds
            for name, count in checked[kind].warnings.items()
        }
        count = len(checked[kinds[0]].table.records)
        report.append(f"{path}: {count} rows, {'; '.join(notes.values()) or 'no warnings'}")
    return report + _releases(competition, checked)


def _releases(competition: Competition, checked: Mapping[str, Checked]) -> list[str]:
    """Return a line for each pair of splits that may be of different releases."""
    columns, splits = competition.columns, {}
    for kind in ("train", "dev", "test"):
        answer = None if kind == "test" else columns.answers(competition.files[kind])[0]
        cells = [record.cells for record in checked[kind].table.records]
        splits[kind] = releases.texts_of(
            [(row[columns.id], row[columns.dialogue], row[answer] if answer else None) for row in cells]
        )
    return [f"warning: {line}" for line in releases.signs(splits)]
