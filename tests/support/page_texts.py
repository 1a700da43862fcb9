"""Make a repository whose runs have texts, without any model: dialogues of daily_talk, and summaries changed by chance."""

import csv
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from common.runs import candidates
from common.runs.candidates import Candidate
from tests.support import REPOSITORY
from tests.support.repository import TOML

COMPETITION = "talk"


@dataclass(frozen=True)
class Talk:
    """One dialogue of the competition."""

    id: str
    dialogue: str
    summary: str
    topic: str


def talks(count: int) -> list[Talk]:
    """Return the first dialogues of daily_talk's train.csv, as dev rows."""
    path = REPOSITORY / "competitions" / "daily_talk" / "data" / "train.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for _, row in zip(range(count), csv.DictReader(file), strict=False)]
    return [Talk(f"dev_{n}", row["dialogue"], row["summary"], row["topic"]) for n, row in enumerate(rows)]


def changed(text: str, share: float, words: Sequence[str], chance: random.Random) -> str:
    """Return the text with about this share of its words replaced, left out or doubled."""
    made: list[str] = []
    for word in text.split():
        if chance.random() >= share:
            made.append(word)
        elif chance.random() < 0.75:
            made.append(chance.choice(words))
        elif chance.random() < 0.5:
            made += [word, word]
    return " ".join(made) or text


def build(
    root: Path,
    runs: int = 3,
    dialogues: Sequence[Talk] | None = None,
    others: int = 7,
    texts: Mapping[tuple[str, str], str] | None = None,
) -> list[Path]:
    """Write the competition "talk" and its runs below a root, and return the folders of the runs.

    The first run is the best. `others`: number of candidates beside the prediction. `texts`: (run, id) → prediction.
    """
    rows = list(talks(12) if dialogues is None else dialogues)
    data = root / "competitions" / COMPETITION / "data"
    data.mkdir(parents=True)
    tags = ", ".join(f'"#Person{n}#"' for n in range(1, 8))
    toml = TOML.replace('["#Person1#", "#Person2#"]', f"[{tags}]").replace(
        "max_characters = 60", "max_characters = 500"
    )
    toml = toml.replace(
        '[files.solution]\npath = "data/solution.csv"\ncolumns = ["fname", "summary1", "summary2"]\n', ""
    )
    toml = toml.replace('references = ["summary1", "summary2"]\n', "")
    (data.parent / "competition.toml").write_text(toml, encoding="utf-8")
    known = [replace(one, id=one.id.replace("dev_", "train_")) for one in talks(20)]
    _csv(data / "train.csv", known, answers=True)
    _csv(data / "dev.csv", rows, answers=True)
    _csv(
        data / "test.csv",
        [replace(one, id=one.id.replace("train_", "test_")) for one in known[:3]],
        answers=False,
    )
    words = sorted({word for one in rows for word in one.summary.split()}) or ["."]
    return [_run(root, number, rows, words, others, texts or {}) for number in range(1, runs + 1)]


def _run(
    root: Path,
    number: int,
    rows: Sequence[Talk],
    words: Sequence[str],
    others: int,
    texts: Mapping[tuple[str, str], str],
) -> Path:
    chance = random.Random(number)
    name = f"exp{number:03}"
    folder = root / "outputs" / COMPETITION / name
    share = 0.1 + 0.6 * (number - 1) / (number + 4)
    made: dict[str, list[Candidate]] = {}
    for row in rows:
        group = [changed(row.summary, share + 0.03 * place, words, chance) for place in range(others + 1)]
        group[0] = texts.get((name, row.id), group[0])
        made[row.id] = [
            Candidate(text, -3.0 - place, 20, cut=chance.random() < 0.02) for place, text in enumerate(group)
        ]
    (folder / "dev").mkdir(parents=True)
    candidates.write(folder / "dev" / "candidates.jsonl", made)
    predictions = {id_: group[0].text for id_, group in made.items()}
    with (folder / "dev" / "predictions.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerows([("fname", "summary"), *predictions.items()])
    stage: dict[str, object] = {
        "status": "finished", "experiment": name, "competition": COMPETITION, "command": ["infer.py"], "overrides": {},
        "config": {"seed": number, "postprocess.rules": [], "postprocess.repetition_words": 3,
                   "postprocess.max_characters": None, "postprocess.min_characters": 0},
        "data": {}, "runs": {}, "code": {}, "files": {}, "checkpoint": None, "processes": 1, "notes": {}, "sources": {},
        "git": {"commit": None, "dirty": False}, "packages": {}, "hardware": {"machine": "x86_64", "cores": 2, "threads": 1, "gpus": []}, "minutes": number,
        "started": f"2026-11-{1 + number % 28:02}T12:00:00+00:00",
    }  # fmt: skip
    (folder / "run.json").write_text(json.dumps({"train": stage, "infer": stage}), encoding="utf-8")
    return folder


def _csv(path: Path, rows: Sequence[Talk], *, answers: bool) -> None:
    header = ["fname", "dialogue", "summary", "topic"] if answers else ["fname", "dialogue"]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(header)
        for row in rows:
            writer.writerow([row.id, row.dialogue, row.summary, row.topic][: len(header)])


def add_texts(root: Path, competition: str, run: str, number: int) -> None:
    """Give a run dev predictions: the first references, the more changed the higher the number; no candidates."""
    path = root / "competitions" / competition / "data" / "dev.csv"
    chance = random.Random(number)
    with path.open(encoding="utf-8", newline="") as file:
        texts = {row["fname"]: row["summary"] for row in csv.DictReader(file)}
    words = sorted({word for text in texts.values() for word in text.split()})
    folder = root / "outputs" / competition / run / "dev"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "predictions.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(("fname", "summary"))
        writer.writerows(
            (name, changed(text, 0.1 + 0.1 * number, words, chance)) for name, text in texts.items()
        )
