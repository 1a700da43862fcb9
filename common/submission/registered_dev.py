"""Take the dev score of a CSV that was made elsewhere: measured on its dev predictions, or as its author states it."""

import hashlib
import re
from dataclasses import dataclass
from typing import Any

from common.core.errors import UserError
from common.core.files import shown, user_path
from common.core.messages import brief, quoted
from common.data.competition import Competition
from common.data.text_files import FileOrigin, read_bytes
from common.ensemble.recipe_members import SUFFIXES
from common.submission.dev_scores import interval_on_dev, on_split

_NUMBER = re.compile(r"[-+]?[\d.,]+(e[-+]?\d+)?|[-+]?(nan|inf(inity)?)", re.IGNORECASE)


@dataclass(frozen=True)
class GivenDev:
    """A dev score for a registered CSV."""

    dev: dict[str, Any]
    """Scores by profile as in an entry: of the blend, and of the floor when they were measured."""
    interval: dict[str, Any] | None
    """95 % bootstrap interval of the measured score."""
    content: bytes | None
    """Bytes of the file with the dev predictions; None for a stated score."""
    suffix: str = ""

    @property
    def stated(self) -> bool:
        """Return whether it is a number that nobody measured here."""
        return self.content is None

    def fields(self, file: str | None) -> dict[str, Any]:
        """Return what the ledger keeps of it; `file`: the copy of the predictions, relative to the repository."""
        kept = {"stated": True} if self.content is None else {
            "file": file, "sha256": hashlib.sha256(self.content).hexdigest()
        }  # fmt: skip
        return {
            "dev": self.dev,
            "source": kept,
            **({} if self.interval is None else {"interval": self.interval}),
        }


def read_dev(text: str, competition: Competition, name: str) -> GivenDev:
    """Return the dev score that `make register dev=` gives: of a file with dev predictions, or a number.

    A number counts in the site's metric. Raises UserError for a number outside 0 to 100, for a file of another kind, and as
    `member_files.read_file` does.
    """
    if _NUMBER.fullmatch(text.strip()):
        return GivenDev({"blend": {competition.leaderboard_profile: _stated(text)}}, None, None)
    path = user_path(text)
    if path.suffix not in SUFFIXES:
        raise UserError(
            f"dev={brief(text)}: wanted a score from 0 to 100, or a .csv or .jsonl file with predictions for the dev rows."
        )
    from common.submission.member_files import MOST_BYTES, read_file  # which a number does not need

    found = read_file(path, competition, "dev", f"submission {quoted(name)}")
    texts = {key: group[0].text for key, group in found.items()}
    content = read_bytes(path, FileOrigin(shown(path), None), MOST_BYTES)
    return GivenDev(
        on_split(competition, "dev", texts), interval_on_dev(competition, texts), content, path.suffix
    )


def _stated(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise UserError(
            f"dev={brief(text)}: wanted a score from 0 to 100 in the site's metric, or a file with dev predictions."
        )
    return value
