"""Format the ledger and the runs' results as tables: submissions, scores of members and blend, goals met."""

from collections.abc import Sequence
from typing import Any

from common.core.messages import local_time
from common.data.competition import Competition
from common.data.rows import SplitName
from common.runs.results import Result, Stage
from common.runs.score_text import against_floor, judged_by, number, over, short
from common.submission import ledger


def goals_met(competition: Competition, scores: dict[str, float]) -> str:
    """Return the goals, each marked as met or not, as "70 ✓ 75 ✓ 78 · 80 ·"; "" without goals or without a score."""
    profile = "rouge101" if competition.goals_metric == "rouge_sum" else competition.goals_metric
    reached = scores.get(profile)
    if not competition.goals or reached is None:
        return ""
    return " ".join(f"{goal:g} {'✓' if reached >= goal else '·'}" for goal in competition.goals)


REGISTERED = "^"
"""Mark of a submission that was made elsewhere."""
STATED = "~"
"""Mark of a dev score that somebody stated."""
_FAR = 20.0
"""Ratio of a site's score and the local one above which they must be on different scales."""
HISTORY_DROPPED = ("method", "goals", "dev rouge_sum", "note", "time", "floor", "test")
"""Columns of `history` that a narrow terminal leaves out first, in this order."""
RESULTS_DROPPED = ("commit", "hardware", "date", "minutes", "model")
"""Columns of `results` that a narrow terminal leaves out first, in this order."""


def history(
    competition: Competition, entries: Sequence[dict[str, Any]], *, everything: bool = False
) -> list[list[str]]:
    """Return a header and one row for each submission: id, time, recipe, dev, floor, test, leaderboard, goals, pick, note.

    dev and test are scores in the profiles that count there; rouge_sum is shown for its goals, or with `everything`.
    A column of picks or notes is left out when there is none.
    """
    dev, board = competition.dev_profile, competition.leaderboard_profile
    summed = dev != "rouge101" and (everything or bool(competition.goals))
    picked, noted = (any(entry.get(key) for entry in entries) for key in ("pick", "note"))
    table = [["id", "time", "recipe", "dev", "floor", "over floor", "test", "LB public", "LB private",
              *(["dev rouge_sum"] if summed else []), *(["goals"] if competition.goals else []),
              *(["pick"] if picked else []), "method", *(["note"] if noted else [])]]  # fmt: skip
    for entry in entries:
        blend, lb = entry["dev"].get("blend", {}), entry.get("lb", {})
        score, floor = blend.get(dev), entry["dev"].get("floor", {}).get(dev)
        table.append(
            [
                entry["id"],
                local_time(entry["time"]),
                entry["recipe"] + _marks(entry),
                number(score, dev) + (STATED if ledger.is_stated(entry) and score is not None else ""),
                number(floor, dev),
                "–" if score is None else over(score, floor, dev),
                number(entry.get("test", {}).get("blend", {}).get(board), board),
                *(number(lb.get(name), board) for name in ("public", "private")),
                *([number(blend.get("rouge101"), "rouge101")] if summed else []),
                *([goals_met(competition, blend)] if competition.goals else []),
                *(["✓" if entry.get("pick") else ""] if picked else []),
                entry["method"],
                *([entry.get("note", "")] if noted else []),
            ]
        )
    return table


def _marks(entry: dict[str, Any]) -> str:
    """Return the marks behind a submission's name: uncommitted changes, stale members, made elsewhere."""
    marks = (("*", entry["git"]["dirty"]), ("!", entry["stale"]), (REGISTERED, ledger.is_registered(entry)))
    return "".join(mark for mark, holds in marks if holds)


def site_scores(competition: Competition, entry: dict[str, Any], before: dict[str, float]) -> list[str]:
    """Return the leaderboard scores of a submission, such as "public 27.00 (was 28.06)".

    The earlier score stands there when `before` has another one.
    """
    profile = competition.leaderboard_profile
    return [
        f"{kind} {number(score, profile)}"
        + (f" (was {number(before[kind], profile)})" if before.get(kind, score) != score else "")
        for kind, score in entry.get("lb", {}).items()
    ]


def doubt(competition: Competition, entry: dict[str, Any], score: float) -> str:
    """Return why a score of the site seems to be on another scale than the local ones; "" when it does not.

    A score from 0 to 1 where one from 0 to 100 is wanted, or the reverse, is about a hundred times too low or too high.
    """
    profile = competition.leaderboard_profile
    blends = ((split, entry.get(split, {}).get("blend", {}).get(profile)) for split in ("test", "dev"))
    split, local = next(((split, value) for split, value in blends if value), ("", 0.0))
    if not local or local / _FAR <= score <= local * _FAR:
        return ""
    return (
        f"{score:g} is on another scale than the local score on {split}, {number(local, profile)} in {short(profile)}; "
        "enter the score as the site shows it"
    )


def members(competition: Competition, entry: dict[str, Any], *, everything: bool = False) -> list[list[str]]:
    """Return the dev and test scores of one submission: a header, then the floor, each member and the blend.

    In the profile that counts, each score stands beside its difference from the floor. `everything`: other profiles too.
    """
    splits: list[SplitName] = [split for split in ("dev", "test") if split in entry]
    counted = [(split, judged_by(competition, split)) for split in splits]
    others = [(s, p) for s in splits for p in entry[s]["blend"] if everything and (s, p) not in counted]
    head = [name for s, p in counted for name in (f"{s} {short(p)}", f"{s} over floor")]
    table = [["", *head, *(f"{split} {short(profile)}" for split, profile in others)]]
    for name in ["floor", *map(ledger.member_name, entry["members"]), "blend"]:
        cells = [name]
        for split, profile in counted:
            score = entry[split].get(name, {}).get(profile)  # a member with test only has no dev score
            floor = entry[split]["floor"][profile]
            cells += [
                number(score, profile),
                "" if name == "floor" else "–" if score is None else over(score, floor, profile),
            ]
        table.append(
            cells + [number(entry[split].get(name, {}).get(profile), profile) for split, profile in others]
        )
    return table


def opening(competition: Competition, entry: dict[str, Any]) -> str:
    """Return the blend's dev score in the profile that counts, against the floor."""
    profile = competition.dev_profile
    score, floor = (entry["dev"][name][profile] for name in ("blend", "floor"))
    return f"dev {short(profile)} {number(score, profile)}, {against_floor(score, floor, profile)}"


def results(found: Sequence[Result], profile: str, *, everything: bool = False) -> list[list[str]]:
    """Return a header row and a row for each result, in descending order of the dev score in `profile`.

    Results without a score in that profile are left out. `everything`: with a column for each other profile.
    """
    chosen = sorted((r for r in found if profile in r.dev), key=lambda r: (-r.dev[profile].score, r.run))
    others = [p for p in dict.fromkeys(p for r in chosen for p in r.dev) if p != profile and everything]
    table = [
        ["run", "model", f"dev {short(profile)}", "95% interval", "floor", "over floor",
         *(f"dev {short(p)}" for p in others), f"test {short(profile)}", "minutes", "hardware", "commit", "date"]
    ]  # fmt: skip
    for result in chosen:
        dev, test, stages = result.dev[profile], result.test.get(profile), result.stages.values()
        table.append(
            [
                result.run,
                result.model,
                number(dev.score, profile),
                f"{number(dev.low, profile)} … {number(dev.high, profile)}",
                number(dev.floor, profile),
                over(dev.score, dev.floor, profile),
                *(number(result.dev[p].score if p in result.dev else None, p) for p in others),
                number(test.score if test else None, profile),
                " + ".join(f"{stage.minutes:.1f}" for stage in stages),
                " / ".join(dict.fromkeys(stage.hardware for stage in stages)),
                " / ".join(dict.fromkeys(map(_commit, stages))),
                result.date[:10],
            ]
        )
    return table


def _commit(stage: Stage) -> str:
    return "–" if stage.commit is None else stage.commit[:7] + ("*" if stage.dirty else "")


def markdown(table: Sequence[Sequence[str]]) -> str:
    """Return the rows as a Markdown table, the first as its header."""
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in table]
    return "\n".join([lines[0], "|" + "---|" * len(table[0]), *lines[1:]])
