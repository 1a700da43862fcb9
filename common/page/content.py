"""Define what the page shows, as values that JSON can hold."""

from dataclasses import dataclass, field
from typing import Any

Text = dict[str, str]
"""A sentence of ours in both languages: {"en": …, "ko": …}."""


@dataclass(frozen=True)
class Score:
    """A mean score in one profile, on the profile's own scale."""

    score: float
    low: float | None = None
    """Lower end of the 95 % interval; None when it was not measured."""
    high: float | None = None
    floor: float | None = None
    """The better score without a model; None when it is unknown."""
    metrics: dict[str, float] = field(default_factory=dict)
    """Means of the profile's other metrics, in [0, 1]."""


@dataclass(frozen=True)
class Shares:
    """Signs of trouble in a run's dev predictions; None where the run does not record it."""

    rows: int | None = None
    missing: int | None = None
    distinct: float | None = None
    """Share of distinct texts, in [0, 1]."""
    characters: float | None = None
    """Median length of the predictions in characters."""
    copied: float | None = None
    """Mean share of a prediction's words that occur in its dialogue, in [0, 1]."""
    cut: float | None = None
    """Share of the decoded summaries that were cut off at the maximum length, in [0, 1]."""
    shortened: float | None = None
    """Share of the training dialogues that were shortened to fit the model, in [0, 1]."""


@dataclass(frozen=True)
class RunRow:
    """One run, from its result file and its folder; whichever of the two exists is enough."""

    name: str
    experiment: str
    title: Text
    model: Text
    status: str
    """As in `make runs`; "result" when only the result file is here."""
    started: str | None
    """Time of the last stage, ISO 8601 with its offset."""
    dev: dict[str, Score]
    test: dict[str, Score]
    minutes: dict[str, float]
    """Minutes of each finished stage."""
    hardware: str
    processes: int
    """Largest number of processes of a stage."""
    commit: str | None
    dirty: bool
    """Whether a stage ran with uncommitted changes."""
    money: float | None
    """US dollars that an API charged; None for a run without API calls."""
    settings: dict[str, Any]
    """Every recorded setting by dotted name; only the changed ones when there is no run folder."""
    whole: bool
    """Whether `settings` holds every setting."""
    changed: dict[str, Any]
    """Settings that differ from the experiment's recipe."""
    data: dict[str, str]
    """First digits of the sha256 of each data file, by path."""
    shares: Shares
    note: str
    reasons: list[Text]
    """Why the run is stale, failed or broken; the first ones."""


@dataclass(frozen=True)
class SubmissionRow:
    """One submission of the ledger."""

    id: str
    time: str
    recipe: str
    method: str
    members: list[str]
    dev: dict[str, Score]
    test: dict[str, Score]
    member_scores: dict[str, dict[str, float]]
    """Dev scores by member and profile."""
    public: float | None
    private: float | None
    commit: str | None
    dirty: bool
    stale: bool
    registered: bool
    """Whether the CSV was made elsewhere."""
    pick: bool
    note: str
    best_member: str
    """The member with the best dev score; "" when it is unknown."""
    gain: Score | None
    """Difference from the best member on dev, with its interval."""


@dataclass(frozen=True)
class Curve:
    """What a run's training recorded, step by step."""

    run: str
    series: dict[str, list[list[float]]]
    """Name of a measure → [step, value] in ascending order of the steps, thinned out when there are many."""
    best_step: int | None
    rows: int | None = None
    """Number of dev dialogues that each evaluation during the training scored; None when the run does not record it."""


@dataclass(frozen=True)
class Content:
    """Everything that the page shows, except the texts of the examples."""

    competition: str
    title: str
    language: str
    only: str
    """Name of the run that a report is about; "" for the page of the whole competition."""
    made: str
    """Time when the page was made, ISO 8601 in UTC."""
    commit: str
    profiles: list[dict[str, Any]]
    """`name`, `short`, `digits` and `top` (the highest possible score) of every profile, that of dev first."""
    dev_profile: str
    site_profile: str
    goals: list[float]
    goals_profile: str
    runs: list[RunRow]
    submissions: list[SubmissionRow]
    reference_characters: float | None
    """Median length of the first dev reference of each dialogue; None when the data is not here."""
    trust: list[dict[str, Any]]
    """`dev_and_site.as_json` of the public and the private leaderboard, with the warning in both languages."""
    curves: list[Curve]
    gaps: list[Text]
    """What could not be read, and what to do about it."""
    examples: dict[str, Any] = field(default_factory=dict)
    """`Examples.index`: which texts the blocks of the page hold, and what is left out; {} without any."""
    sweeps: list[dict[str, Any]] = field(default_factory=list)
    """Rows of `sweep_rows`: the searches for the best settings of an experiment."""
    blends: list[dict[str, Any]] = field(default_factory=list)
    """Rows of `blend_rows`: how the members of each recipe score and agree on dev, and what methods gain."""
