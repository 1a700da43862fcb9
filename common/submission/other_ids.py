"""Say whose ids a file has when they are not those of the split that it was made for."""

from collections.abc import Mapping, Sequence

from common.core.errors import UserError
from common.core.messages import listed
from common.data.competition import Competition
from common.data.rows import SplitName, read_split

_SPLITS: tuple[SplitName, ...] = ("train", "dev", "test")
_SHOWN = 5


def require_ids(
    ids: Sequence[str],
    competition: Competition,
    split: SplitName,
    where: str,
    dialogues: Mapping[str, str] | None = None,
) -> None:
    """Raise UserError, starting with `where`, unless the ids are exactly those of the split.

    The message says how many are missing or unknown and what the file may be of: another split, or another release of the
    data. `dialogues`: the dialogues of the file by id, if it has them; other texts than the split's are another release.
    """
    rows = {row.id: row for row in read_split(competition, split).rows}
    found = set(ids)
    missing, unknown = [name for name in rows if name not in found], [n for n in ids if n not in rows]
    if missing or unknown:
        parts = (
            [f"{len(missing)} of {len(rows)} ids of {split} are missing ({listed(missing, _SHOWN)})"]
            if missing
            else []
        )
        parts += (
            [f"{len(unknown)} of its {len(found)} ids are not in {split} ({listed(unknown, _SHOWN)})"]
            if unknown
            else []
        )
        raise UserError(f"{where}: {' and '.join(parts)}; {_explained(found, unknown, competition, split)}")
    other = [n for n, text in (dialogues or {}).items() if text.split() != rows[n].dialogue.split()]
    if other:
        raise UserError(
            f"{where}: {len(other)} of {len(rows)} dialogues are other texts than in {split} ({listed(other, _SHOWN)}): it was made "
            "for another release of the data. Predict these dialogues again from the present files."
        )


def _explained(found: set[str], unknown: Sequence[str], competition: Competition, split: SplitName) -> str:
    if not unknown:
        return "wanted every id. Predict the missing dialogues too."
    for other in _SPLITS:
        if (
            other != split
            and len(found & {row.id for row in read_split(competition, other).rows}) > len(found) / 2
        ):
            return f"its ids are those of {other}. Give the predictions for {split}."
    return (
        "wanted the same ids: the file was made for another release of the data or another competition. Predict the present "
        f"{split} file, or check comp=."
    )
