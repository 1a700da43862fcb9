"""Read the dialogues that `make predict` summarizes: a file with the competition's columns, or one text."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from common.core.errors import UserError
from common.core.files import sha256_texts, shown
from common.core.messages import brief, quoted
from common.data import checks
from common.data.checks import is_blank
from common.data.competition import Competition, FileSpec
from common.data.dialogue import clean
from common.data.rows import Row, Split
from common.data.tables import SURROGATE, source_of

TEXT_ID = "text"
"""The id of the only row of `given_text`."""


def read_given(competition: Competition, path: Path) -> Split:
    """Return the rows of a CSV or JSON Lines file with the id and dialogue columns of a competition; others are ignored.

    Any unique ids are allowed. The rows have no summaries and no topic.
    Raises UserError for a file without these columns, a repeated or empty id, an empty dialogue, and a dialogue in
    which no turn begins with a speaker of the competition.
    """
    columns = competition.columns
    file = FileSpec(str(path), (columns.id, columns.dialogue), rows=None, exact_rows=False, ids=None)
    declared = replace(competition, obtain="", files={**competition.files, "test": file})
    checked = checks.check(declared, "test", path, others=True)
    source = source_of(path, None)
    rows = []
    for record in checked.table.records:
        row = Row(record.cells[columns.id], record.cells[columns.dialogue], (), "")
        if not _has_speaker(row.dialogue, competition.speakers):
            problem = f"no line of the dialogue of {columns.id} {quoted(row.id)} starts with a speaker; {_wanted(competition)}"
            raise source.error(record.line, problem, "Write the speakers so")
        rows.append(row)
    return Split(
        "test", tuple(rows), path, checked.sha256, checked.warnings, tuple(checked.examples.values())
    )


def given_text(competition: Competition, text: str) -> Split:
    r"""Return one row with this dialogue, in which "\n" (a backslash and an n) also ends a turn.

    Raises UserError for a text that is empty, has characters that no file can have, or has no speaker of the competition.
    """
    dialogue = text.replace("\\n", "\n")
    if is_blank(dialogue):
        raise UserError(f"text is empty; wanted a dialogue: {_wanted(competition)}.")
    if "\0" in dialogue or SURROGATE.search(dialogue):
        raise UserError(f"text {brief(text)}: contains a NUL or a lone surrogate; remove it.")
    if not _has_speaker(dialogue, competition.speakers):
        raise UserError(
            f"text {brief(text)}: no line starts with a speaker; {_wanted(competition)}. Write the speakers so, with \\n "
            "between two turns."
        )
    row = Row(TEXT_ID, dialogue, (), "")
    return Split("test", (row,), Path("text"), sha256_texts([dialogue]), {}, ())


def require_other_file(source: Path, target: Path) -> None:
    """Raise UserError when a result would be written over the file that it is made from."""
    if target.exists() and source.exists() and target.samefile(source):
        raise UserError(f"to={shown(target)} is the file that from= names; write to another file.")


def _has_speaker(dialogue: str, speakers: Sequence[str]) -> bool:
    pattern = "|".join(map(re.escape, speakers))
    return re.search(f"(?m)^(?:{pattern}):", clean(dialogue)) is not None


def _wanted(competition: Competition) -> str:
    first = competition.speakers[0]
    second = competition.speakers[1] if len(competition.speakers) > 1 else first
    return f"wanted lines such as {first}: … and {second}: …"
