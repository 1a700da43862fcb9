"""Keep what `make blend-report` measured in a file, so that the HTML page can show it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from common.core.errors import UserError
from common.core.files import parse_json, read_regular, sha256_texts, shown, unreadable, write_json
from common.core.paths import outputs
from common.ensemble.cross_validation import Verdict
from common.ensemble.report import BlendReport, advice, control_sentence
from common.runs.candidates import Candidate

Members = Mapping[str, Mapping[str, Sequence[Candidate]]]


@dataclass(frozen=True)
class MethodRow:
    """A way of blending, compared with the best member; scores in the profile's scale."""

    method: str
    score: float
    difference: float
    """Score minus that of the best member."""
    low: float
    high: float
    """Ends of the 95 % interval of `difference`."""
    p: float
    gap_closed: float
    """Share of the way from the best member to the oracle, at most 1."""


@dataclass(frozen=True)
class SavedReport:
    """What a blend report measured."""

    recipe: str
    made: str
    """ISO 8601 in UTC."""
    texts: str
    """Hash of the members' dev predictions that were measured."""
    profile: str
    dialogues: int
    candidates: int
    """Maximum number of candidates for each member."""
    best: str
    best_score: float
    oracle: float
    """Mean score of each dialogue's best candidate."""
    methods: tuple[MethodRow, ...]
    control: MethodRow | None
    """The gain of `auto` against references of other dialogues."""
    advice: str
    control_sentence: str


def path_of(competition: str, recipe: str) -> Path:
    """Return the file of a recipe's report."""
    return outputs(competition) / "blends" / f"{recipe}.json"


def texts_hash(members: Members) -> str:
    """Return a hash of the members' predictions; it does not depend on their further candidates."""
    parts = [
        part
        for name, by_id in sorted(members.items())
        for key, found in sorted(by_id.items())
        for part in (name, key, found[0].text)
    ]
    return sha256_texts(parts)


def write(competition: str, recipe: str, candidates: int, members: Members, found: BlendReport) -> Path:
    """Write a report and return its file. Raises UserError when it cannot be written."""
    judged = found.verdicts
    saved = SavedReport(
        recipe=recipe,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        texts=texts_hash(members),
        profile=found.profile,
        dialogues=found.dialogues,
        candidates=candidates,
        best=judged.best,
        best_score=judged.members[judged.best],
        oracle=judged.oracle,
        methods=tuple(map(_row, judged.methods)),
        control=_row(found.control.verdict) if found.control else None,
        advice=advice(found),
        control_sentence=control_sentence(found),
    )
    path = path_of(competition, recipe)
    write_json(path, asdict(saved))
    return path


def _row(verdict: Verdict) -> MethodRow:
    test = verdict.against_best
    return MethodRow(
        verdict.method, verdict.score, test.difference, test.low, test.high, test.permutation_p, verdict.gap_closed
    )  # fmt: skip


def read(competition: str, recipe: str) -> SavedReport | None:
    """Return the last report on a recipe; None before the first. Raises UserError when it cannot be read."""
    path = path_of(competition, recipe)
    try:
        values = parse_json(read_regular(path))
        control = MethodRow(**values["control"]) if values["control"] else None
        methods = tuple(MethodRow(**row) for row in values["methods"])
        return SavedReport(**{**values, "methods": methods, "control": control})
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unreadable(path, error) from error
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{shown(path)}: is no report on a blend; remove it, or write it again with: make blend-report blend={recipe}"
        ) from error
