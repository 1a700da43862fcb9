"""Join the entries of the ledger that are the same CSV: submitted on two machines, or registered and then blended again."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Entry = dict[str, Any]
ALSO = "also"
"""Key of a joined entry: the other entries with this CSV, each as its id and name."""


def one_for_each_csv(entries: Iterable[Entry]) -> list[Entry]:
    """Return one entry for each CSV of a competition, in the order of the first ones, given entries in order of time.

    It is the oldest that tells most: made here before registered, with a dev score before without. Scores, uploads, picks and
    notes of all are joined in it.
    """
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry["competition"], entry["csv_sha256"]), []).append(entry)
    return [joined(group, min(group, key=_tells_less)) for group in groups.values()]


def joined(group: Sequence[Entry], best: Entry) -> Entry:
    """Return `best` with what all entries of the same CSV say; of two scores of a kind, notes or states the newest counts."""
    if len(group) == 1:
        return best
    found = dict(best)
    if scores := {kind: score for entry in group for kind, score in entry.get("lb", {}).items()}:
        found["lb"] = scores
    for entry in group:
        found |= {key: entry[key] for key in ("site", "note") if key in entry}
    if days := sorted({day for entry in group for day in entry.get("uploaded", ())}):
        found["uploaded"] = days
    if any(entry.get("pick") for entry in group):
        found["pick"] = True
    others = [entry for entry in group if entry is not best]
    return {**found, ALSO: [{"id": one["id"], "recipe": one["recipe"]} for one in others]}


def also_line(entry: Mapping[str, Any]) -> str:
    """Return which entries a joined one stands for, as a sentence; "" for a single entry."""
    others = entry.get(ALSO)
    if not others:
        return ""
    names = ", ".join(dict.fromkeys(f"{one['id']} ({one['recipe']})" for one in others))
    return f"{entry['id']} ({entry['recipe']}) and {names} are the same CSV: one row, with the scores of all."


def _tells_less(entry: Entry) -> tuple[bool, bool]:
    return "registered" in entry, not entry.get("dev", {}).get("blend")
