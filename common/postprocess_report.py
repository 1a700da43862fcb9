"""What `make postprocess` prints: a run's dev candidates, the tables of what was tried, the settings dev supports."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from common import candidates, files, members, postprocess, rows, runs
from common import competition as competitions
from common.competition import Competition
from common.errors import UserError
from common.postprocess import PostprocessConfig
from common.postprocess_search import ALPHA, AT_LEAST, Effect, Found, LengthTrial, RuleTrial, Task


def task(competition: Competition, run: str) -> tuple[Task, PostprocessConfig]:
    """A run's dev candidates to search on, and the post-processing its predictions were made with.

    Raises UserError when it has not inferred, when candidates lack, or when the predictions are not made from them.
    """
    folder = runs.run_folder(competition.name, run)
    again = members.command(run, "infer", folder, _comp(competition))
    record = runs.record(folder).get("infer", {})
    if record.get("status") != "finished":
        raise UserError(f"{files.shown(folder)}: infer has not finished; first run: {again}")
    own = postprocess.recorded(record["config"])
    path = folder / "dev" / "candidates.jsonl"
    found = candidates.read(path)
    dev = rows.read_split(competition, "dev").rows
    lacking = [row.id for row in dev if not found.get(row.id)]
    if lacking:
        raise UserError(
            f"{files.shown(path)}: {len(lacking)} of {len(dev)} dialogues have no candidate, for example "
            f"{lacking[0]!r}; make them: {again}"
        )
    made = rows.read_predictions(path.with_name("predictions.csv"), competition)
    if made != postprocess.predictions(own, {row.id: found[row.id] for row in dev}):
        raise UserError(
            f"{files.shown(path.with_name('predictions.csv'))}: not what its candidates and recorded settings give "
            f"now; infer again: {again}"
        )
    references = rows.read_references(competition, "dev")
    texts = [[candidate.text for candidate in found[row.id]] for row in dev]
    mode = competition.leaderboard_references
    return Task(dev, texts, references, competition.dev_profile, mode, competition.near_copy), own


def _comp(competition: Competition) -> str:
    return "" if competitions.active() == competition.name else f" comp={competition.name}"


# --- tables ---


def _effect(effect: Effect, score: bool = True) -> list[str]:
    """Score, difference, interval and share of changed texts, as cells."""
    first = [f"{effect.score:.2f}"] if score else []
    if effect.test is None:
        return [*first, "", "", "none"]
    test = effect.test
    return [*first, f"{test.difference:+.2f}", f"{test.low:+.2f} … {test.high:+.2f}", f"{effect.changed:.1%}"]


def _p(effect: Effect, adjusted: float) -> str:
    return f"{adjusted:.4f}" if effect.test else ""


def rules_alone(found: Found) -> list[list[str]]:
    """A header and a row a rule: the rule alone on the raw texts."""
    header = ["rule alone", found.profile, f"over raw {found.raw:.2f}", "95 % interval", "texts changed"]
    return [header, *([trial.name, *_effect(trial.alone)] for trial in found.rules)]


def rules_inside(found: Found) -> list[list[str]]:
    """A header and a row a rule: the run's pipeline with it over the same without it."""
    header = [
        "rule in the pipeline",
        "now",
        "with − without",
        "95 % interval",
        "texts changed",
        "p (Holm)",
        "",
    ]
    return [
        header,
        *(
            [trial.name, "in" if trial.used else "out", *_effect(trial.inside, score=False),
             _p(trial.inside, trial.adjusted_p), _verdict(trial)]
            for trial in found.rules
        ),
    ]  # fmt: skip


def _verdict(trial: RuleTrial) -> str:
    test = trial.inside.test
    if test is None:
        return "changes nothing on dev"
    if trial.adjusted_p > ALPHA:
        return "may be chance"
    if test.difference > 0:
        return "earns its place" if trial.used else "would earn a place: add it"
    return "does harm: leave it out" if trial.used else "would do harm"


def lengths(found: Found) -> list[list[str]]:
    """A header and a row a way of fitting the length: its worth on dialogues it was not fitted on."""
    header = ["length target", "best on dev", "(flattered)", "by fold", found.profile,
              f"over own {found.own_score:.2f}", "95 % interval", "texts changed", "p (Holm)"]  # fmt: skip
    return [
        header,
        *(
            [way.name, _length(way, way.fitted), f"{way.flattered:+.2f}",
             ", ".join(dict.fromkeys(_length(way, config) for config in way.by_fold)), *_effect(way.effect),
             _p(way.effect, way.adjusted_p)]
            for way in found.lengths
        ),
    ]  # fmt: skip


def _length(way: LengthTrial, config: PostprocessConfig) -> str:
    if way.name == AT_LEAST:
        return str(config.min_characters)
    return str(config.max_characters) if "limit_length" in config.rules else "any"


# --- advice ---


def changes(own: PostprocessConfig, advised: PostprocessConfig) -> dict[str, Any]:
    """The settings in which the second differs from the first, by dotted name."""
    return {
        f"postprocess.{field.name}": list(value) if isinstance(value, tuple) else value
        for field in fields(advised)
        if (value := getattr(advised, field.name)) != getattr(own, field.name)
    }


def advice(found: Found, competition: Competition, run: str) -> Sequence[str]:
    """What to do, in lines; the last is the command that applies it to dev and test, or says what to keep."""
    lines = [
        f"Advice needs p (Holm, over the {found.tested} differences tested) ≤ {ALPHA}, p being the larger of paired "
        "bootstrap and permutation."
    ]
    changed = changes(found.own, found.advised)
    if not changed or found.together.test is None:
        own = found.own
        kept = {field.name: getattr(own, field.name) for field in fields(own)}
        words = runs.words({k: list(v) if isinstance(v, tuple) else v for k, v in kept.items()})
        return [*lines, f"nothing earns its place beside what {run} has: keep {' '.join(words)}"]
    test = found.together.test
    lines.append(
        f"All that is advised: {test.difference:+.2f} over own, 95 % interval {test.low:+.2f} … {test.high:+.2f}; it was "
        "chosen on the same dialogues, which flatters it a little. It applies to dev and test, without decoding again:"
    )
    folder = runs.run_folder(competition.name, run)
    return [*lines, members.command(run, "infer", folder, _comp(competition), changed)]
