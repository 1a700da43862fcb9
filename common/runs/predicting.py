"""Let a trained run predict other rows than dev and test, by the infer function of its own experiment (`make predict`).

The stage works in a folder of its own, with a link to the run's best checkpoint: nothing in the run's folder changes, and a
killed command finds its finished dialogues there.
"""

import contextlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

from common.core import distributed
from common.core.files import sha256_texts, write_text
from common.core.paths import predicted_folder
from common.core.verified_folder import remove
from common.data.competition import Competition
from common.data.rows import Row, Split, SplitName, read_predictions, read_split, write_predictions
from common.runs import candidates
from common.runs.asked import Asked, read_rows, require_free_name
from common.runs.record import read_record
from common.runs.run import Run, apply_training_overrides
from common.runs.start import finished_infer, settings_of_infer

C = TypeVar("C")
TRAIN_AND_DEV: tuple[SplitName, ...] = ("train", "dev")


def as_inferred(run: Run[C]) -> None:
    """Give a run the settings of its own inference, except those that the command line sets, and its record."""
    run.inferred = finished_infer(run.folder)
    run.overrides = {**settings_of_infer(run.folder), **run.overrides}
    apply_training_overrides(run, read_record(run.folder).get("train", {}))


def prepare(run: Run[C], asked: Asked) -> list[str]:
    """Put the rows to predict in the place of test, make the working folder the run's, and return the rows' own ids."""
    rows = read_rows(run.competition, asked)
    run.given = replace(rows, rows=_renamed(run.competition, rows))
    name = f"{run.folder.name}-{sha256_texts([rows.sha256])[:12]}"
    run.folder = predicted_folder(run.competition.name, name, smoke=run.smoke)
    return [row.id for row in rows.rows]


def _renamed(competition: Competition, given: Split) -> tuple[Row, ...]:
    """Return the rows, with other ids where a row of train or dev has the same, or where it has a "/".

    Shots refuse a row of train that is also to be predicted, and requests to an API separate their parts by "/".
    """
    others = {row.id for split in TRAIN_AND_DEV for row in read_split(competition, split).rows}
    taken = others | {row.id for row in given.rows}
    found = []
    for number, row in enumerate(given.rows):
        name = row.id
        if name in others or "/" in name:
            name = f"row {number}"
            while name in taken:
                name += "*"
            taken.add(name)
        found.append(replace(row, id=name))
    return tuple(found)


def predict(run: Run[C], ids: Sequence[str], asked: Asked, work: Callable[[Run[C]], None]) -> list[str]:
    """Let infer predict the given rows, write the file that was asked for, and return the summaries in the rows' order.

    Only the first process of several calls it; the others do `work` alone, and then wait. The run's folder is locked and, at the end, removed.
    `ids`: the rows' own ids. Raises UserError when the file exists by now or cannot be written.
    """
    trained = run.folder.parents[1] / run.folder.name.rpartition("-")[0]
    link = run.folder / "best"
    with contextlib.suppress(FileExistsError):
        link.symlink_to(trained / "best")
    distributed.gather([True])
    work(run)
    distributed.wait()  # the others may still use the folder, which is removed below
    assert run.given is not None
    found = read_predictions(run.folder / "test" / "predictions.csv", run.competition)
    texts = [found[row.id] for row in run.given.rows]
    if asked.target:
        _write(run, ids, texts, asked)
    remove(run.folder)
    run.folder.with_name(f".{run.folder.name}.lock").unlink(missing_ok=True)
    return texts


def _write(run: Run[C], ids: Sequence[str], texts: Sequence[str], asked: Asked) -> None:
    target = Path(asked.target)
    require_free_name(target, force=asked.force)
    if target.suffix == ".csv":
        write_predictions(target, ids, texts, run.competition)
        return
    assert run.given is not None
    columns, lines = run.competition.submission, []
    made = candidates.read(run.folder / "test" / "candidates.jsonl") if asked.everything else {}
    for own, row, text in zip(ids, run.given.rows, texts, strict=True):
        line: dict[str, Any] = {columns.id: own, columns.summary: text}
        if asked.everything:
            line["candidates"] = [asdict(one) for one in made[row.id]]
        lines.append(json.dumps(line, ensure_ascii=False) + "\n")
    write_text(target, "".join(lines))
