"""Seven runs on rows of the embedded sample, and their predictions as files that somebody else made."""

import csv
import json
import random
import re
from collections.abc import Sequence
from pathlib import Path

from common.data.competition import Competition
from common.data.competition_file import load_competition
from common.data.rows import SplitName, read_references, read_split
from common.ensemble.recipe import Recipe, read_recipe
from common.runs import candidates
from common.runs.candidates import Candidate
from common.submission.candidates import member_candidates
from tests.support import REPOSITORY, members, repository

ROWS = {"train": 60, "dev": 25, "test": 25, "sample_submission": 25, "solution": 25}
RUNS = tuple(f"exp001-m{number}" for number in range(7))
THEIRS = tuple(f"team.{number}" for number in range(7))
EIGHT = 3
"""The member with eight candidates for each dialogue."""


def build(root: Path) -> Competition:
    """Write a repository with the first rows of daily_talk and seven finished runs; KDS_ROOT must be `root`."""
    repository.build(root)
    source, target = REPOSITORY / "competitions/daily_talk", root / "competitions/daily_talk"
    (target / "data").mkdir(parents=True)
    toml = (source / "competition.toml").read_text(encoding="utf-8")
    toml = re.sub(r"(?m)^(rows|exact_rows|ids) = .*\n", "", toml)
    (target / "competition.toml").write_text(toml, encoding="utf-8")
    for name, rows in ROWS.items():
        with (source / "data" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            kept = list(csv.reader(file))[: rows + 1]
        write_csv(target / "data" / f"{name}.csv", kept)
    (root / ".active-competition").write_text("daily_talk\n", encoding="utf-8")
    talk = load_competition("daily_talk")
    repository.stage(root, "exp001", "train", "--run", RUNS[0])
    for number, run in enumerate(RUNS):
        if number:
            repository.stage(root, "exp001", "train", "--run", run)
        rng = random.Random(number)
        texts: dict[str, list[Candidate]] = {}
        for split in ("dev", "test"):
            wanted = read_references(talk, split)
            for row in read_split(talk, split).rows:
                answered = type(row)(row.id, row.dialogue, wanted[row.id], row.topic)
                texts[row.id] = members.texts_of(answered, 0.2 + 0.05 * number, rng, 8)
        (root / "texts.json").write_text(json.dumps({name: group[0].text for name, group in texts.items()}))
        repository.stage(root, "exp001", "infer", "--run", run)
        if number == EIGHT:
            for split in ("dev", "test"):
                path = root / "outputs/daily_talk" / run / split / "candidates.jsonl"
                path.unlink()
                ids = [row.id for row in read_split(talk, split).rows]
                candidates.write(path, {name: texts[name] for name in ids})
    return talk


def write_csv(path: Path, rows: Sequence[Sequence[str]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    return path


def recipe(root: Path, name: str, listed: Sequence[str], method: str, more: str = "candidates = 8") -> Recipe:
    """Write a recipe with these members, each an inline table of TOML, and return it."""
    path = root / "submissions" / f"{name}.toml"
    head = f'competition = "daily_talk"\nmethod = "{method}"\n{more}\n'
    path.write_text(f"{head}members = [{', '.join(listed)}]\n", encoding="utf-8")
    return read_recipe(path)


def of_runs() -> list[str]:
    return [f'{{ run = "{run}" }}' for run in RUNS]


def of_files(*, suffix: str = "jsonl", without_dev: Sequence[str] = ()) -> list[str]:
    return [
        f'{{ name = "{name}", '
        + ("" if name in without_dev else f'dev = "theirs/{name}-dev.{suffix}", ')
        + f'test = "theirs/{name}-test.{suffix}" }}'
        for name in THEIRS
    ]


def renamed(scores: dict[str, object]) -> dict[str, object]:
    """Return the scores of an entry with the names of the files in place of those of the runs."""
    names = dict(zip(RUNS, THEIRS, strict=True))
    return {names.get(name, name): value for name, value in scores.items()}


def export(root: Path, talk: Competition) -> None:
    """Write what the runs predict under other names: JSON Lines with every candidate, and CSVs with one text."""
    mine = recipe(root, "runs", of_runs(), "mbr")
    splits: tuple[SplitName, ...] = ("dev", "test")
    for split in splits:
        found = member_candidates(mine, talk, split)
        for run, name in zip(RUNS, THEIRS, strict=True):
            lines = [
                json.dumps(
                    {"fname": key, "candidates": [vars(one) for one in group], "model": 7}, ensure_ascii=False
                )
                for key, group in reversed(found[run].items())  # joined by id, never by place
            ]
            path = root / "theirs" / f"{name}-{split}.jsonl"
            path.parent.mkdir(exist_ok=True)
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
            rows = [["summary", "fname"], *([group[0].text, key] for key, group in found[run].items())]
            write_csv(path.with_suffix(".csv"), rows)


def export_scored(root: Path, talk: Competition) -> None:
    """Write what the runs predict as other code does: every candidate with its mean log-probability as its score."""
    mine = recipe(root, "runs", of_runs(), "mbr")
    splits: tuple[SplitName, ...] = ("dev", "test")
    for split in splits:
        found = member_candidates(mine, talk, split)
        for run, name in zip(RUNS, THEIRS, strict=True):
            several = all(one.logprob is not None for group in found[run].values() for one in group)
            rows, lines = [["candidate", "fname", "summary", *(["score"] if several else [])]], []
            for key, group in found[run].items():
                means = [None if one.logprob is None else one.logprob / max(1, one.tokens) for one in group]
                texts = []
                for place, (one, mean) in enumerate(zip(group, means, strict=True), 1):
                    rows.append([str(place), key, one.text, *([repr(mean)] if several else [])])
                    texts.append({"text": one.text, **({} if mean is None else {"score": mean})})
                lines.append(json.dumps({"fname": key, "candidates": texts}, ensure_ascii=False))
            path = root / "theirs" / f"{name}-{split}.jsonl"
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
            write_csv(path.with_suffix(".csv"), rows)
