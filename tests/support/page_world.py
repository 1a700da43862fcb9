"""Write any number of invented runs and submissions in the repository's own formats, for the tests of the HTML page."""

import hashlib
import json
import math
import random
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from common.runs.results import ProfileScore, Result, Stage

COMPETITION = "daily_talk"
PROFILES = ("leaderboard", "rouge101", "korouge")
FLOORS = {"leaderboard": 30.5213, "rouge101": 26.586, "korouge": 0.0812}
BEGAN = datetime(2026, 9, 1, 9, 0, tzinfo=UTC)
PACKAGES = {"python": "3.11.7", "torch": "2.13.0"}
EXPERIMENTS = [
    ("exp002", "small encoder-decoder, trained from scratch", "BART architecture, own byte-level BPE"),
    ("exp003", "a pretrained Korean encoder-decoder", "KoBART"),
    ("exp010", "a language model with adapters", "Qwen2.5-7B, LoRA"),
    ("exp012", "policy gradient on ROUGE", "Qwen2.5-7B, LoRA"),
]
HARDWARE = [
    {"machine": "x86_64", "cores": 8, "threads": 4, "gpus": []},
    {"machine": "x86_64", "cores": 32, "threads": 8, "gpus": ["NVIDIA A100-SXM4-80GB"]},
    {"machine": "x86_64", "cores": 64, "threads": 8, "gpus": ["NVIDIA H100"] * 4},
]


@dataclass(frozen=True)
class Invented:
    """An invented run: what is written about it."""

    name: str
    index: int
    quality: float
    """Between 0 and 1."""
    settings: dict[str, Any]


def name_of(index: int) -> str:
    """Return the name of the run with this number: the first of an experiment bears its name alone."""
    experiment = EXPERIMENTS[index % len(EXPERIMENTS)][0]
    return experiment if index < len(EXPERIMENTS) else f"{experiment}-v{index // len(EXPERIMENTS)}"


def write(
    root: Path, runs: int, submissions: int = 0, *, seed: int = 1, curves: bool = True
) -> list[Invented]:
    """Write runs, their results and submissions to the competition daily_talk, and return the runs.

    The later ones are better on average. `curves`: with metrics.jsonl.
    """
    random_ = random.Random(seed)
    made = []
    for index in range(runs):
        quality = min(
            0.97, max(0.02, 0.15 + 0.75 * (index / max(1, runs - 1)) ** 0.6 + random_.gauss(0, 0.07))
        )
        settings = {
            "training.learning_rate": random_.choice([1e-05, 3e-05, 0.0001, 0.0002]),
            "training.epochs": float(random_.choice([3, 5, 10])),
            "decoding.beams": random_.choice([1, 4, 8]),
            "lengths.max_source_tokens": 512,
            "seed": random_.randrange(5),
        }
        made.append(Invented(name_of(index), index, quality, settings))
        _write_run(root, made[-1], random_, curves=curves)
    for index in range(submissions):
        add_submission(root, index, made, random_)
    return made


def _write_run(root: Path, run: Invented, random_: random.Random, *, curves: bool) -> None:
    folder = root / "outputs" / COMPETITION / run.name
    (folder / "best").mkdir(parents=True)
    (folder / "dev").mkdir()
    manifest = folder / "best" / "manifest.json"
    manifest.write_text("{}\n", encoding="utf-8")
    checkpoint = hashlib.sha256(manifest.read_bytes()).hexdigest()
    experiment, title, model = EXPERIMENTS[run.index % len(EXPERIMENTS)]
    hardware = HARDWARE[min(len(HARDWARE) - 1, run.index % len(EXPERIMENTS) // 2 + (run.index % 7 == 0))]
    began = BEGAN + timedelta(hours=9.7 * run.index)
    git = {"commit": hashlib.sha1(str(run.index // 3).encode()).hexdigest(), "dirty": run.index % 11 == 5}
    minutes = {"train": round(random_.uniform(6, 240), 2), "infer": round(random_.uniform(1, 20), 2)}
    common = {
        "status": "finished", "experiment": experiment, "competition": COMPETITION, "config": run.settings, "data": {},
        "code": {}, "files": {}, "runs": {}, "sources": {}, "overrides": {}, "checkpoint": checkpoint, "git": git,
        "hardware": hardware, "processes": max(1, len(hardware["gpus"])), "packages": PACKAGES,
    }  # fmt: skip
    cut = random_.choice([0, 0, 3, 41])
    notes = {
        "train": {
            "train_cuts": {
                "dialogues": 5000,
                "dialogues_cut": random_.randrange(200),
                "turns": 1,
                "turns_cut": 0,
            }
        },
        "infer": {"cut": {"dev": {"cut": cut, "summaries": 1600}}},
    }
    if experiment == "exp010":
        notes["infer"]["llm_dev"] = {
            "calls": 200,
            "cost": round(random_.uniform(0.2, 3), 4),
            "lost_cost": 0.0,
        }
    record = {
        stage: {**common, "notes": notes[stage], "minutes": minutes[stage],
                "started": (began + timedelta(minutes=at)).isoformat(timespec="seconds")}
        for stage, at in (("train", 0), ("infer", minutes["train"]))
    }  # fmt: skip
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    scores = {profile: _score(profile, run.quality, random_) for profile in PROFILES}
    report = {
        "scores": [{"profile": p, "headline_key": p, "headline": s.score, "metrics": {}} for p, s in scores.items()],
        "floors": {p: {"constant": FLOORS[p], "lead": FLOORS[p] * 0.8} for p in PROFILES},
        "diagnostics": {
            "rows": 200, "missing": 0, "distinct": 0.99, "characters": round(40 + 50 * random_.random()),
            "copied": round(random_.uniform(0.1, 0.5), 4),
        },
    }  # fmt: skip
    (folder / "dev" / "scores.json").write_text(json.dumps(report), encoding="utf-8")
    if curves:
        lines = "".join(
            json.dumps(line) + "\n" for line in _metrics(run, scores["leaderboard"].score, random_)
        )
        (folder / "metrics.jsonl").write_text(lines, encoding="utf-8")
    stages = {
        stage: Stage(minutes[stage], 1, f"{hardware['machine']}, {hardware['cores']} cores", git["commit"], git["dirty"], PACKAGES)
        for stage in minutes
    }  # fmt: skip
    result = Result(
        run=run.name, experiment=experiment, title=title, model=model, competition=COMPETITION,
        date=record["infer"]["started"], dev_rows=200, dev=scores, test={}, stages=stages,
        settings={key: run.settings[key] for key in ("training.learning_rate", "seed")}, checkpoint=checkpoint[:12], data={},
    )  # fmt: skip
    path = root / "results" / COMPETITION / f"{run.name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(result), ensure_ascii=False, indent=2), encoding="utf-8")


def _score(profile: str, quality: float, random_: random.Random) -> ProfileScore:
    """Return a score between 20 and 80 (korouge: a hundredth of it)."""
    scale = 0.01 if profile == "korouge" else 1.0
    score = scale * (20 + 60 * quality + random_.gauss(0, 0.8))
    half = scale * random_.uniform(0.9, 1.8)
    metrics = {"rouge1": 0.9 * quality, "rouge2": 0.5 * quality, "rougeL": 0.8 * quality}
    return ProfileScore(f"{profile}/{profile}", score, score - half, score + half, FLOORS[profile], metrics)


def _metrics(run: Invented, final: float, random_: random.Random) -> list[dict[str, float]]:
    epochs = int(run.settings["training.epochs"])
    lines: list[dict[str, float]] = []
    for step in range(20, 300 * epochs + 1, 20):
        loss = 1.2 + 6 * math.exp(-step / (150 + 300 * run.quality)) + random_.gauss(0, 0.06)
        lines.append(
            {"step": step, "loss": loss, "gradient_norm": 1 + random_.random(), "learning_rate": 1e-4}
        )
        if step % 300 == 0:
            done = step / (300 * epochs)
            score = final * (1 - 0.5 * math.exp(-4 * done)) + random_.gauss(0, 0.3)
            lines.append({"step": step, "train_loss": loss, "score": score, "distinct": 1.0})
    return lines


def add_submission(root: Path, index: int, runs: list[Invented], random_: random.Random) -> None:
    """Append a submission of some runs to the ledger, and the score of the public leaderboard to most of them."""
    last = max(1, round(len(runs) * (index + 1) / 12))
    members = sorted(runs[:last], key=lambda run: -run.quality)[:3]
    best = members[0]
    csv = hashlib.sha256(f"submission {index}".encode()).hexdigest()
    score = {profile: _score(profile, min(1.0, best.quality + 0.03), random_).score for profile in PROFILES}
    time = BEGAN + timedelta(hours=9.7 * last, days=1 + index)
    gain = round(random_.uniform(0.2, 1.9), 2)
    entry = {
        "id": csv[:10], "time": time.isoformat(timespec="seconds"), "recipe": f"blend{index:02d}", "competition": COMPETITION,
        "method": ("vote", "mbr", "stack")[index % 3], "csv_sha256": csv, "stale": {}, "data": {"dev": "d" * 64},
        "members": [{"run": run.name, "weight": 1.0} for run in members],
        "git": {"commit": csv[:40], "dirty": False},
        "dev": {"blend": score, "floor": FLOORS, **{run.name: {"leaderboard": 20 + 60 * run.quality} for run in members}},
        "interval": {"profile": "leaderboard", "low": score["leaderboard"] - 1.3, "high": score["leaderboard"] + 1.3},
        "verdict": {"best": best.name, "difference": gain, "low": gain - 0.9, "high": gain + 0.9, "supported": gain > 0.9},
    }  # fmt: skip
    lines: list[dict[str, Any]] = [entry]
    if index % 5 != 4:
        board = {"public": round(score["leaderboard"] - random_.uniform(1.5, 4), 2)}
        if index % 2 == 0:
            board["private"] = round(board["public"] - random_.uniform(0, 1.5), 2)
        lines.append(
            {"id": csv[:10], "lb": board, "time": (time + timedelta(hours=1)).isoformat(timespec="seconds")}
        )
    if index == 1:
        lines.append(
            {"id": csv[:10], "pick": True, "time": (time + timedelta(hours=2)).isoformat(timespec="seconds")}
        )
    path = root / "submissions" / "ledger.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as ledger:
        ledger.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
