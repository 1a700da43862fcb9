"""Read what a run wrote for the dialogues of a split: its predictions, and its candidates with the same post-processing."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from common.core.errors import UserError
from common.core.files import shown
from common.data.competition import Competition
from common.data.rows import SplitName, read_predictions
from common.postprocess.rules import apply_recorded
from common.runs import candidates
from common.runs.candidates import Candidate
from common.runs.record import read_record


@dataclass(frozen=True)
class Written:
    """The texts of one run or blend for one split."""

    name: str
    predictions: Mapping[str, str]
    """By id, in NFC as they are submitted."""
    candidates: Mapping[str, Sequence[Candidate]] = field(default_factory=dict)
    """By id: the other texts that the model proposed, best first; {} when there are none."""
    cut: frozenset[str] = frozenset()
    """Ids of the predictions that stopped at the limit of tokens."""


def written(competition: Competition, folder: Path, split: SplitName) -> Written:
    """Return what a run wrote for a split. Raises UserError when its predictions are missing or a file is damaged."""
    path = folder / split / "predictions.csv"
    predictions = {
        name: unicodedata.normalize("NFC", text) for name, text in read_predictions(path, competition).items()
    }
    proposed = candidates.read(folder / split / "candidates.jsonl")
    others: dict[str, list[Candidate]] = {}
    cut = set()
    if proposed:
        record = folder / "run.json"
        infer = read_record(folder).get("infer")
        if infer is None:
            raise UserError(f"{shown(record)}: no record of inference; infer {folder.name} again.")
        rule = apply_recorded(infer["config"], record, competition.submission.max_characters)
        for name, group in proposed.items():
            chosen = predictions.get(name, "")
            texts: dict[str, Candidate] = {}
            for one in (replace(one, text=rule(one.text)) for one in group):
                if one.text == chosen and one.cut:
                    cut.add(name)
                if one.text.strip() and one.text != chosen:
                    texts.setdefault(one.text, one)
            others[name] = list(texts.values())
    return Written(folder.name, predictions, others, frozenset(cut))
