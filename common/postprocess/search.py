"""Measure the gain of post-processing for a run on dev: test every rule, and fit the target length."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from common.core.progress import brief_progress, waiting
from common.data.folds import folds
from common.postprocess.rules import RULES, PostprocessConfig, RuleName, get_rule, long_enough, longest
from common.postprocess.trials import (
    AT_LEAST,
    AT_MOST,
    Effect,
    LengthTrial,
    ProfileTrials,
    RuleTrial,
    SearchReport,
    Task,
)
from common.rouge import compare
from common.rouge.stats import holm
from common.runs.scoring import example_scores

FOLDS = 5
ALPHA = 0.05
"""Probability of any advice if no change really helps, over all differences tested together."""
LENGTHS = 16
"""Number of lengths tried per way, in a geometric series from a quarter of the run's median length to its 98th
percentile."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def search(task: Task, own: PostprocessConfig) -> SearchReport:
    """Return the trials of every rule and every way of fitting the length, and the config that dev supports.

    Every profile of the task is judged. A change is advised if both paired tests find it better in a profile, at a level
    of 5 % over all changes and profiles together after Holm's correction, and no other profile finds it worse. Where
    profiles disagree, the first one decides.
    Raises UserError when there are too few dialogues for folds, and as `rules.prediction` does.
    Source of the correction: Holm 1979, "A Simple Sequentially Rejective Multiple Test Procedure".
    """
    # Folds come first, because a run with too few dialogues fails here.
    fold_of = np.array(list(folds(task.rows, FOLDS, task.near_copy).values()))
    bare = PostprocessConfig(rules=(), min_characters=0)
    toggled = [_toggled(own, name) for name in RULES]
    alone = {name: replace(own, rules=(name,), min_characters=0) for name in RULES}
    ways = _length_ways(task, own)
    configs = [bare, own, *toggled, *alone.values(), *(c for way in ways.values() for c in way)]
    measured = _measure(task, list(dict.fromkeys(configs)))
    found = {}
    with brief_progress(len(measured), "test rules and lengths", "profile", even=False) as bar:
        for profile, known in measured.items():
            found[profile] = (
                [(n, n in own.rules, known.effect(alone[n], bare), _inside(known, own, n)) for n in RULES],
                [(name, *_fit(known, own, way, fold_of)) for name, way in ways.items()],
            )
            bar.update()
    effects = [
        effect
        for tried, fitted in found.values()
        for effect in (*(inside for *_, inside in tried), *(effect for *_, effect in fitted))
    ]
    adjusted = iter(holm([effect.p if effect.test else None for effect in effects]))
    trials = tuple(
        ProfileTrials(
            profile,
            measured[profile].score(bare),
            measured[profile].score(own),
            tuple(RuleTrial(*trial, next(adjusted)) for trial in tried),
            tuple(LengthTrial(*trial, next(adjusted)) for trial in fitted),
        )
        for profile, (tried, fitted) in found.items()
    )
    advised, measured = _advice(task, measured, own, trials)
    return SearchReport(
        len(task.rows),
        own,
        trials,
        sum(effect.test is not None for effect in effects),
        advised,
        {profile: known.effect(advised, own) for profile, known in measured.items()},
    )


# --- configs to try ---


def _with(config: PostprocessConfig, name: str) -> PostprocessConfig:
    """Return the config with a rule added at its place in the default order."""
    if name in config.rules:
        return config
    if name == "limit_length":
        most = config.max_characters
        config = replace(config, max_characters=most and max(most, config.min_characters))
    order = list(PostprocessConfig().rules)
    later = set(order[order.index(name) + 1 :]) if name in order else set()
    place = next((i for i, rule in enumerate(config.rules) if rule in later), len(config.rules))
    return replace(config, rules=(*config.rules[:place], cast(RuleName, name), *config.rules[place:]))


def _without(config: PostprocessConfig, name: str) -> PostprocessConfig:
    return replace(config, rules=tuple(rule for rule in config.rules if rule != name))


def _toggled(config: PostprocessConfig, name: str) -> PostprocessConfig:
    return _without(config, name) if name in config.rules else _with(config, name)


def _length_ways(task: Task, own: PostprocessConfig) -> dict[str, list[PostprocessConfig]]:
    """Return name → configs to choose from. The run's own config is first, so that it wins ties."""
    written = [len(text) for group in task.candidates for text in group]
    low, high = float(np.median(written)) / 4, float(np.quantile(written, 0.98))
    lengths = sorted({max(1, round(n)) for n in np.geomspace(max(1, low), max(1, high), LENGTHS).tolist()})
    limited = _with(own, "limit_length")
    most = [own, _without(own, "limit_length"), *(replace(limited, max_characters=n) for n in lengths)]
    least = [own, *(replace(own, min_characters=n) for n in (0, *lengths))]
    ways = {AT_MOST: most, AT_LEAST: least}
    return {name: [c for c in dict.fromkeys(way) if _possible(c)] for name, way in ways.items()}


def _possible(config: PostprocessConfig) -> bool:
    return config.min_characters <= longest(config)


# --- scores ---


@dataclass(frozen=True, eq=False)
class _Known:
    """Texts and scores of many configs."""

    configs: Mapping[PostprocessConfig, int]
    """Config → its row in the arrays."""
    texts: NDArray[np.object_]
    """(configs, dialogues)"""
    values: Floats
    """(configs, dialogues)"""

    def score(self, config: PostprocessConfig) -> float:
        return float(self.values[self.configs[config]].mean())

    def effect(self, config: PostprocessConfig, over: PostprocessConfig) -> Effect:
        return self.mixed(np.full(self.values.shape[1], self.configs[config]), over)

    def mixed(self, chosen: Ints, over: PostprocessConfig) -> Effect:
        """Return the effect of using a different config for each dialogue, given as rows of the arrays."""
        places, other = np.arange(len(chosen)), self.configs[over]
        values = self.values[chosen, places]
        changed = self.texts[chosen, places] != self.texts[other]
        test = compare(self.values[other], values) if changed.any() else None
        return Effect(float(values.mean()), test, float(changed.mean()))


def _measure(task: Task, configs: Sequence[PostprocessConfig]) -> dict[str, _Known]:
    """Return texts and scores of every config by profile; each different text is scored once."""
    processed: dict[PostprocessConfig, list[list[str]]] = {}
    table = []
    with brief_progress(len(configs), "apply rules", "setting") as bar:
        for config in configs:
            rules = replace(config, min_characters=0)
            if rules not in processed:
                apply = get_rule(rules)
                processed[rules] = [[apply(text) for text in group] for group in task.candidates]
            table.append([long_enough(group, config.min_characters) for group in processed[rules]])
            bar.update()
    texts = np.array(table, dtype=object)
    once = {
        (place, text): str(number)
        for number, (place, text) in enumerate(
            dict.fromkeys((place, text) for row in table for place, text in enumerate(row))
        )
    }
    predictions = {number: text for (_, text), number in once.items()}
    references = {number: task.references[task.rows[place].id] for (place, _), number in once.items()}
    rows = {config: row for row, config in enumerate(configs)}
    number_of = np.array([[int(once[place, text]) for place, text in enumerate(row)] for row in table])
    known = {}
    for profile in task.profiles:
        with waiting(f"score {len(predictions)} texts with {profile}"):
            scored = example_scores(predictions, references, profile, task.mode)
        known[profile] = _Known(rows, texts, scored.per_example[scored.headline_key][number_of])
    return known


def _inside(known: _Known, own: PostprocessConfig, name: str) -> Effect:
    other = _toggled(own, name)
    return known.effect(own, other) if name in own.rules else known.effect(other, own)


def _fit(
    known: _Known, own: PostprocessConfig, way: Sequence[PostprocessConfig], fold_of: Ints
) -> tuple[PostprocessConfig, tuple[PostprocessConfig, ...], float, Effect]:
    """Return the best config of a way on all dialogues, the best on the other folds for each fold, and their gains."""
    rows = np.array([known.configs[config] for config in way])

    def best(dialogues: NDArray[np.bool_]) -> int:
        means = known.values[np.ix_(rows, np.flatnonzero(dialogues))].mean(axis=1)
        return int((means >= means.max() - 1e-9).argmax())  # the first one on a tie, which is the run's own

    by_fold = [best(fold_of != fold) for fold in range(FOLDS)]
    fitted = way[best(np.ones(len(fold_of), bool))]
    return (
        fitted,
        tuple(way[choice] for choice in by_fold),
        known.score(fitted) - known.score(own),
        known.mixed(rows[np.array(by_fold)[fold_of]], own),
    )


# --- advice ---


@dataclass(frozen=True)
class _Change:
    """A change that a profile supports."""

    name: str
    profile: str
    gain: float
    fitted: PostprocessConfig | None
    """The config whose length is used; None for a rule that is added or removed."""


def _advice(
    task: Task, measured: dict[str, _Known], own: PostprocessConfig, trials: Sequence[ProfileTrials]
) -> tuple[PostprocessConfig, dict[str, _Known]]:
    """Return the config with the supported changes, and the scores including those of the configs tried here.

    Changes are applied in the order of the profiles that support them and then in descending order of gain, each only if
    it still helps after those before it. A change that only a later profile supports must not be worse in any other.
    """
    # With equal gains, rules come before lengths, because nothing in a rule is fitted.
    changes = [
        change
        for one in trials
        for change in sorted(_supported(one), key=lambda c: (-round(c.gain, 6), c.fitted is not None))
    ]
    advised, done = own, set[str]()
    for change in changes:
        tried = _changed(advised, change)
        if change.name in done or not _possible(tried):
            continue
        measured = _measure(task, list(dict.fromkeys([*measured[task.profile].configs, tried])))
        steps = {profile: known.effect(tried, advised).test for profile, known in measured.items()}
        step = steps[change.profile]
        # Two changes may fix the same fault: both the repetition rule and the length limit remove a repetition.
        if not step or step.low <= 0:
            continue
        if change.profile == task.profile or not any(other and other.high < 0 for other in steps.values()):
            advised = tried
            done.add(change.name)
    return advised, measured


def _supported(trials: ProfileTrials) -> list[_Change]:
    found = []
    for way in trials.lengths:
        if way.adjusted_p <= ALPHA and way.effect.test and way.effect.test.difference > 0:
            found.append(_Change(way.name, trials.profile, way.effect.test.difference, way.fitted))
    for rule in trials.rules:
        gain = rule.inside.test.difference * (-1 if rule.used else 1) if rule.inside.test else 0.0
        if rule.adjusted_p <= ALPHA and gain > 0:
            found.append(_Change(rule.name, trials.profile, gain, None))
    return found


def _changed(config: PostprocessConfig, change: _Change) -> PostprocessConfig:
    """Return the config after one change: a fitted length, or a rule added or removed."""
    if change.fitted is None:
        return _toggled(config, change.name)
    if change.name == AT_LEAST:
        return replace(config, min_characters=change.fitted.min_characters)
    limited = "limit_length" in change.fitted.rules
    changed = _with(config, "limit_length") if limited else _without(config, "limit_length")
    return replace(changed, max_characters=change.fitted.max_characters)
