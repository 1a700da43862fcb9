"""Put the lines of the ledger in the order of their times, and say what a merge of two ledgers left to decide.

Two machines append to their own copies, and git keeps the lines of both sides (`merge=union` in .gitattributes). Which
side comes first depends on who merges, so no command may depend on the order of the lines in the file.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Line = dict[str, Any]
_FIRST = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Finding:
    """What is wrong or undecided in a ledger."""

    text: str
    decide: bool
    """Whether a person has to decide; otherwise it is only worth knowing."""


def ordered(lines: Iterable[Line]) -> list[Line]:
    """Return the lines in the order of their times. Lines of the same second stay in the order of the file.

    A line whose time cannot be read stays behind the line before it.
    """
    keyed, last = [], _FIRST
    for line in lines:
        last = _time(line) or last
        keyed.append((last, line))
    return [line for _, line in sorted(keyed, key=lambda one: one[0])]


def _time(line: Line) -> datetime | None:
    try:
        found = datetime.fromisoformat(line["time"])
    except ValueError:  # an old entry of another form
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def is_ordered(lines: Sequence[Line]) -> bool:
    """Return whether the times of these lines never decrease; a time that cannot be read is skipped."""
    times = [time for line in lines if (time := _time(line))]
    return times == sorted(times)


def findings(lines: Sequence[Line], final_picks: Mapping[str, int | None]) -> list[Finding]:
    """Return what two people who did not know of each other left in the ledger, given its lines as they are in the file.

    `final_picks`: competition → number of final picks that it allows, None for any number.
    """
    submissions = [line for line in ordered(lines) if "csv_sha256" in line]
    later = [line for line in ordered(lines) if "csv_sha256" not in line]
    found = [
        *_doubled(submissions),
        *_unknown(submissions, later),
        *_scores(ordered(lines)),
        *_picks(submissions, later, final_picks),
    ]
    if not is_ordered(lines):
        found.append(
            Finding(
                "lines are not in the order of their times, as after a merge; they are read by time", False
            )
        )
    return found


def _doubled(submissions: Sequence[Line]) -> Iterator[Finding]:
    by_id: dict[str, dict[str, Line]] = {}
    for line in submissions:
        by_id.setdefault(line["id"], {})[json.dumps(line, sort_keys=True)] = line
    for name, same in by_id.items():
        csvs = sorted({(line["competition"], line["csv_sha256"]) for line in same.values()})
        if len(csvs) > 1:
            yield Finding(
                f"id {name} stands for {len(csvs)} different CSVs ({', '.join(csv[:12] for _, csv in csvs)}); in the newer line, "
                "and in the lines about it, replace the id by more digits of its csv_sha256",
                True,
            )
        elif len(same) > 1:
            yield Finding(
                f"id {name} is there {len(same)} times: the same CSV was submitted on several machines; it counts as one CSV",
                False,
            )


def _unknown(submissions: Sequence[Line], later: Sequence[Line]) -> Iterator[Finding]:
    known = {line["id"] for line in submissions}
    for name in dict.fromkeys(line["id"] for line in later if line["id"] not in known):
        yield Finding(
            f"id {name} has scores, uploads, picks or notes but no submission; merge the branch that has its line, or remove them",
            True,
        )


def _scores(lines: Sequence[Line]) -> Iterator[Finding]:
    """Yield the scores that were entered twice with different values, where the later one did not replace the earlier one.

    The line of a registered CSV has its scores inside.
    """
    present: dict[tuple[str, str], float] = {}
    apart: dict[tuple[str, str], list[float]] = {}
    for line in lines:
        replaced = line.get("was", {})
        for kind, score in line.get("lb", {}).items():
            key = (line["id"], kind)
            if key in present and replaced.get(kind) == present[key]:
                apart.pop(key, None)  # its author saw the score that counts
            elif key in present and score != present[key]:
                apart.setdefault(key, [present[key]]).append(score)
            present[key] = score
    for (name, kind), scores in apart.items():
        yield Finding(
            f"id {name}: {kind} was entered as {' and as '.join(f'{score:g}' for score in scores)}; the newest, {scores[-1]:g}, "
            f"counts. To settle it: make lb id={name} {kind}=SCORE",
            True,
        )


def _picks(
    submissions: Sequence[Line], later: Sequence[Line], final_picks: Mapping[str, int | None]
) -> Iterator[Finding]:
    of = {line["id"]: line["competition"] for line in submissions}
    state = {line["id"]: line["pick"] for line in later if "pick" in line and line["id"] in of}
    for competition, most in final_picks.items():
        taken = [name for name, on in state.items() if on and of[name] == competition]
        if most is not None and len(taken) > most:
            yield Finding(
                f"{competition} allows {most} final picks, and {len(taken)} are marked: {', '.join(taken)}; take one back with: "
                f"make pick id={taken[0]} off=1",
                True,
            )
