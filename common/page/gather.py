"""Gather what the page of a competition shows."""

from dataclasses import replace
from datetime import UTC, datetime
from statistics import median
from typing import Any

from common.core.errors import UserError
from common.core.provenance import git_state
from common.data.competition import Competition
from common.data.rows import read_references
from common.page import submission_rows
from common.page.blend_rows import blend_rows
from common.page.content import Content
from common.page.curves import curves
from common.page.example_blocks import metric_of
from common.page.run_rows import run_rows
from common.page.sentences import both
from common.page.sweep_rows import sweep_rows
from common.rouge import PROFILES
from common.runs.score_text import digits, short


def gather(competition: Competition, only: str = "") -> Content:
    """Return the content of the page; of one run, with the submissions that it is a member of, when `only` names it."""
    gaps: list[str] = []
    rows = [row for row in run_rows(competition, gaps.append) if only in ("", row.name)]
    entries = submission_rows.entries(competition, gaps.append)
    made = submission_rows.submission_rows(entries, gaps.append)
    shown = {row.id for row in made}
    sweeps = sweep_rows(competition, only, gaps.append)
    blends = blend_rows(competition, only, gaps.append)
    submissions = [replace(row, gain=submission_rows.gain_of_blend(row, blends)) for row in made]
    profiles = dict.fromkeys([competition.dev_profile, competition.leaderboard_profile])
    scores = [*(row.dev for row in rows), *(row.dev for row in submissions)]
    profiles |= dict.fromkeys(name for dev in scores for name in dev)
    return Content(
        competition=competition.name,
        title=competition.title,
        language=competition.language,
        only=only,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=git_state()["commit"] or "",
        profiles=[_profile(name) for name in profiles],
        dev_profile=competition.dev_profile,
        site_profile=competition.leaderboard_profile,
        goals=list(competition.goals),
        goals_profile="rouge101" if competition.goals_metric == "rouge_sum" else competition.goals_metric,
        runs=rows,
        submissions=[row for row in submissions if not only or only in row.members],
        reference_characters=_reference_characters(competition),
        trust=submission_rows.trust(competition, [entry for entry in entries if entry["id"] in shown])
        if not only
        else [],
        curves=curves(competition.name, [row.name for row in rows], gaps.append),
        sweeps=sweeps,
        blends=blends,
        gaps=[both(text) for text in dict.fromkeys(gaps)],
    )


def _profile(name: str) -> dict[str, Any]:
    """Return what the page needs to show scores of a profile; `top` is None for a profile that is not ours."""
    top = metric_of(name)["tops"][0] if name in PROFILES else None
    return {"name": name, "short": short(name), "digits": digits(name), "top": top}


def _reference_characters(competition: Competition) -> float | None:
    """Return the median length of dev's first references; None when the organisers' file is not here or damaged."""
    try:
        references = read_references(competition, "dev")
    except UserError:
        return None
    return float(median(len(texts[0]) for texts in references.values())) if references else None
