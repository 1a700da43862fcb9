"""Report the trials of `make postprocess` on a run's dev candidates, and the settings that dev supports."""

import math
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from common.core.errors import UserError
from common.core.files import shown
from common.core.messages import brief
from common.core.paths import run_folder
from common.data.competition import Competition
from common.data.competition_file import comp_setting
from common.data.rows import read_predictions, read_references, read_split
from common.postprocess import rules
from common.postprocess.rules import PostprocessConfig, best_texts
from common.postprocess.search import ALPHA
from common.postprocess.trials import (
    AT_LEAST,
    Effect,
    LengthTrial,
    ProfileTrials,
    RuleTrial,
    SearchReport,
    Task,
)
from common.rouge import Comparison
from common.runs import candidates
from common.runs.record import read_record, require_not_archived, stage_command, to_arguments
from common.runs.score_text import digits, short
from common.runs.scoring import profiles


def task(competition: Competition, run: str) -> tuple[Task, PostprocessConfig]:
    """Return a run's dev candidates to search on, and the post-processing that made its predictions.

    Raises UserError when inference has not finished, candidates are missing, or the predictions do not match them.
    """
    folder = run_folder(competition.name, run)
    require_not_archived(folder)
    again = stage_command(run, "infer", folder, comp_setting(competition.name))
    record = read_record(folder).get("infer", {})
    if record.get("status") != "finished":
        raise UserError(f"{shown(folder)}: infer has not finished; first run: {again}")
    own = rules.within(
        rules.recorded(record["config"], folder / "run.json"), competition.submission.max_characters
    )
    path = folder / "dev" / "candidates.jsonl"
    found = candidates.read(path)
    dev = read_split(competition, "dev").rows
    missing = [row.id for row in dev if not found.get(row.id)]
    if missing:
        raise UserError(
            f"{shown(path)}: {len(missing)} of {len(dev)} dialogues have no candidate, for example "
            f"{brief(missing[0])}; run: {again}"
        )
    made = read_predictions(path.with_name("predictions.csv"), competition)
    if made != best_texts(own, {row.id: found[row.id] for row in dev}):
        raise UserError(
            f"{shown(path.with_name('predictions.csv'))}: does not match its candidates and recorded settings; "
            f"run infer again: {again}"
        )
    references = read_references(competition, "dev")
    texts = [[candidate.text for candidate in found[row.id]] for row in dev]
    mode = competition.leaderboard_references
    others = tuple(name for name in profiles(competition) if name != competition.dev_profile)
    return Task(dev, texts, references, competition.dev_profile, mode, competition.near_copy, others), own


# --- tables ---

DROPPED = ("by fold", "(optimistic)", "texts changed", "best on dev")
"""Columns that a narrow terminal leaves out first, in this order."""


def _difference(test: Comparison, digits: int) -> list[str]:
    return [f"{test.difference:+.{digits}f}", f"{test.low:+.{digits}f} … {test.high:+.{digits}f}"]


def _effect(effect: Effect, digits: int, score: bool = True) -> list[str]:
    """Return score, difference, interval and share of changed texts as cells."""
    first = [f"{effect.score:.{digits}f}"] if score else []
    if effect.test is None:
        return [*first, "", "", "none"]
    return [*first, *_difference(effect.test, digits), f"{effect.changed:.1%}"]


def _p(effect: Effect, adjusted: float) -> str:
    return f"{adjusted:.4f}" if effect.test else ""


def rules_alone(found: ProfileTrials) -> list[list[str]]:
    """Return a header and one row per rule: the rule alone on the raw texts."""
    many = digits(found.profile)
    header = [
        "rule alone",
        short(found.profile),
        f"over raw {found.raw:.{many}f}",
        "95 % interval",
        "texts changed",
    ]
    return [header, *([trial.name, *_effect(trial.alone, many)] for trial in found.rules)]


def rules_inside(found: ProfileTrials) -> list[list[str]]:
    """Return a header and one row per rule: the run's pipeline with it compared with the same without it."""
    header = [
        "rule in the pipeline",
        "now",
        f"{short(found.profile)}: with − without",
        "95 % interval",
        "texts changed",
        "p (Holm)",
        "",
    ]
    many = digits(found.profile)
    return [
        header,
        *(
            [trial.name, "in" if trial.used else "out", *_effect(trial.inside, many, score=False),
             _p(trial.inside, trial.adjusted_p), _verdict(trial)]
            for trial in found.rules
        ),
    ]  # fmt: skip


def _verdict(trial: RuleTrial) -> str:
    test = trial.inside.test
    if test is None:
        return "changes nothing on dev"
    if trial.adjusted_p > ALPHA:
        return "could be chance"
    if test.difference > 0:
        return "helps: keep it" if trial.used else "would help: add it"
    return "hurts: remove it" if trial.used else "would hurt: leave it out"


def lengths(found: ProfileTrials) -> list[list[str]]:
    """Return a header and one row per way of fitting the length, scored on dialogues that it was not fitted on."""
    many = digits(found.profile)
    header = ["length target", "best on dev", "(optimistic)", "by fold", short(found.profile),
              f"over own {found.own_score:.{many}f}", "95 % interval", "texts changed", "p (Holm)"]  # fmt: skip
    return [
        header,
        *(
            [way.name, _length(way, way.fitted), f"{way.flattered:+.{many}f}",
             ", ".join(dict.fromkeys(_length(way, config) for config in way.by_fold)), *_effect(way.effect, many),
             _p(way.effect, way.adjusted_p)]
            for way in found.lengths
        ),
    ]  # fmt: skip


def _length(way: LengthTrial, config: PostprocessConfig) -> str:
    if way.name == AT_LEAST:
        return str(config.min_characters)
    return "any" if math.isinf(rules.longest(config)) else str(config.max_characters)


# --- advice ---


def changes(own: PostprocessConfig, advised: PostprocessConfig) -> dict[str, Any]:
    """Return the settings of `advised` that differ from `own`, by dotted name."""
    return {
        f"postprocess.{field.name}": list(value) if isinstance(value, tuple) else value
        for field in fields(advised)
        if (value := getattr(advised, field.name)) != getattr(own, field.name)
    }


def advice(found: SearchReport, competition: Competition, run: str) -> Sequence[str]:
    """Return the advice as lines; the last is the command that applies it to dev and test, or says what to keep."""
    names = [short(one.profile) for one in found.trials]
    lines = [
        f"A change is advised if p ≤ {ALPHA} in a profile, after Holm's correction for {found.tested} tested differences; p is "
        "the larger one of the paired bootstrap and the paired permutation test. A change that only helps in another profile "
        f"than {names[0]} must not hurt in any.",
        *_disagreements(found),
    ]
    changed = changes(found.own, found.advised)
    tests = {profile: effect.test for profile, effect in found.effects.items() if effect.test}
    if not changed or not tests:
        own = found.own
        kept = {field.name: getattr(own, field.name) for field in fields(own)}
        arguments = to_arguments({k: list(v) if isinstance(v, tuple) else v for k, v in kept.items()})
        return [*lines, f"no change improves on the settings of {run}: keep {' '.join(arguments)}"]
    gains = "; ".join(
        "{} {}, 95 % interval {}".format(short(profile), *_difference(test, digits(profile)))
        for profile, test in tests.items()
    )
    lines.append(
        f"All advised changes together, over own: {gains}. They were chosen on the same dialogues, so this is slightly "
        "optimistic. Apply them to dev and test without decoding again:"
    )
    folder = run_folder(competition.name, run)
    return [*lines, stage_command(run, "infer", folder, comp_setting(competition.name), changed)]


def _disagreements(found: SearchReport) -> list[str]:
    """Return a line for each rule that helps in one profile and hurts in another."""
    lines = []
    for name in rules.RULES:
        trials = {one.profile: trial for one in found.trials for trial in one.rules if trial.name == name}
        sure = {p: t.inside.test for p, t in trials.items() if t.inside.test and t.adjusted_p <= ALPHA}
        helps = [profile for profile, test in sure.items() if test.difference > 0]
        hurts = [profile for profile, test in sure.items() if test.difference < 0]
        if helps and hurts:
            lines.append(
                f"{name} helps in {', '.join(map(short, helps))} and hurts in {', '.join(map(short, hurts))}: {short(found.main.profile)} decides."
            )
    return lines
