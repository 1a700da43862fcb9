"""Format the ledger and the runs' results as tables: submissions, scores of members and blend, goals met."""

from collections.abc import Sequence
from typing import Any

from common.data.competition import Competition
from common.runs.results import Result, Stage


def goals_met(competition: Competition, scores: dict[str, float]) -> str:
    """Return the goals, each marked as met or not, as "70 ✓ 75 ✓ 78 · 80 ·"; "" without goals or without a score."""
    profile = "rouge101" if competition.goals_metric == "rouge_sum" else competition.goals_metric
    reached = scores.get(profile)
    if not competition.goals or reached is None:
        return ""
    return " ".join(f"{goal:g} {'✓' if reached >= goal else '·'}" for goal in competition.goals)


def history(competition: Competition, entries: Sequence[dict[str, Any]]) -> list[list[str]]:
    """Return a header and one row for each submission: id, time, recipe, dev and test scores, leaderboard, goals, pick, note."""
    dev, board = competition.dev_profile, competition.leaderboard_profile
    header = ["id", "time", "recipe", "method", f"dev {dev}", "dev rouge_sum", f"test {board}", "LB public",
              "LB private", "floor", "goals", "pick", "note"]  # fmt: skip
    table = [header]
    for entry in entries:
        blend, lb = entry["dev"]["blend"], entry.get("lb", {})
        test = entry.get("test", {}).get("blend", {}).get(board)
        table.append(
            [
                entry["id"],
                entry["time"][:16].replace("T", " "),
                entry["recipe"] + ("*" if entry["git"]["dirty"] else "") + ("!" if entry["stale"] else ""),
                entry["method"],
                f"{blend[dev]:.2f}",
                f"{blend['rouge101']:.2f}",
                "–" if test is None else f"{test:.2f}",
                *("–" if lb.get(name) is None else f"{lb[name]:.2f}" for name in ("public", "private")),
                f"{entry['dev']['floor'][dev]:.2f}",
                goals_met(competition, blend),
                "✓" if entry.get("pick") else "",
                entry.get("note", ""),
            ]
        )
    return table


def members(competition: Competition, entry: dict[str, Any]) -> list[list[str]]:
    """Return the dev and test scores of one submission: a header, then the floor, each member and the blend."""
    splits = [split for split in ("dev", "test") if split in entry]
    profiles = list(entry["dev"]["blend"])
    table = [["", *(f"{split} {name}" for split in splits for name in profiles)]]
    for name in ["floor", *(member["run"] for member in entry["members"]), "blend"]:
        cells = [
            f"{entry[s][name][p]:.4f}" if p == "korouge" else f"{entry[s][name][p]:.2f}"
            for s in splits
            for p in profiles
        ]
        table.append([name, *cells])
    return table


def results(found: Sequence[Result], profile: str) -> list[list[str]]:
    """Return a header row and a row for each result, in descending order of the dev score in `profile`.

    Results without a score in that profile are left out.
    """
    chosen = sorted((r for r in found if profile in r.dev), key=lambda r: (-r.dev[profile].score, r.run))
    others = [p for p in dict.fromkeys(p for r in chosen for p in r.dev) if p != profile]
    table = [
        ["run", "model", f"dev {profile}", "95% interval", "floor", *(f"dev {p}" for p in others),
         f"test {profile}", "minutes", "hardware", "commit", "date"]
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
                *(number(result.dev[p].score if p in result.dev else None, p) for p in others),
                number(test.score if test else None, profile),
                " + ".join(f"{stage.minutes:.1f}" for stage in stages),
                " / ".join(dict.fromkeys(stage.hardware for stage in stages)),
                " / ".join(dict.fromkeys(map(_commit, stages))),
                result.date[:10],
            ]
        )
    return table


def number(score: float | None, profile: str) -> str:
    """Return a score as tables print it: two decimals, four on korouge's scale of 0 to 1, "–" for none."""
    return "–" if score is None else f"{score:.{4 if profile == 'korouge' else 2}f}"


def _commit(stage: Stage) -> str:
    return "–" if stage.commit is None else stage.commit[:7] + ("*" if stage.dirty else "")


def markdown(table: Sequence[Sequence[str]]) -> str:
    """Return the rows as a Markdown table, the first as its header."""
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in table]
    return "\n".join([lines[0], "|" + "---|" * len(table[0]), *lines[1:]])
