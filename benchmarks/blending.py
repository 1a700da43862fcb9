"""Compare the search for a consensus with Optuna on the same arrays, and write docs/benchmarks-blending.md.

    pip install --target FOLDER optuna
    python benchmarks/blending.py --peer FOLDER

8 members × 8 candidates × 499 dialogues: dev summaries with some of their words replaced, more for later members.
Both sides search weights, mix and length preference for the choice with the best mean score. Our search makes 5,000
trials; Optuna's TPE sampler makes 500. Each side runs in a process of its own.
"""

import argparse
import json
import random
import statistics
import sys
import time
from typing import Any

import numpy as np
from shared import ROOT, child, processor, record, rows, table

from common.ensemble.consensus import Agreement, Consensus, agreement, scores, search
from common.ensemble.pool import Floats, choose, pool
from common.rouge import METRICS, corpus
from common.runs.candidates import Candidate

MEMBERS, CANDIDATES, DIALOGUES, TRIALS, PEER_TRIALS = 8, 8, 499, 5000, 500


def prepared() -> tuple[Agreement, Floats, float]:
    """Return agreement and scores of the candidates, and how many seconds measuring them took."""
    dialogues, _ = rows(DIALOGUES, "dev")
    rng = random.Random(0)
    words = [word for row in dialogues for word in row.summaries[0].split()]
    members: dict[str, dict[str, list[Candidate]]] = {}
    for number in range(MEMBERS):
        error = 0.3 + 0.05 * number
        members[f"exp{number:03d}"] = {
            row.id: [
                Candidate(" ".join(rng.choice(words) if rng.random() < error else word for word in row.summaries[0].split()),
                          None, 1)
                for _ in range(CANDIDATES)
            ]
            for row in dialogues
        }  # fmt: skip
    began = time.perf_counter()
    found = pool(members)
    measured = agreement(found)
    flat = [text for texts in found.texts for text in texts]
    references = [
        [row.summaries[0]] for row, texts in zip(dialogues, found.texts, strict=True) for _ in texts
    ]
    target = np.zeros(found.owner.shape)
    target[found.mask] = corpus(flat, references, "leaderboard").per_example["leaderboard"]
    return measured, target, time.perf_counter() - began


def ours() -> dict[str, Any]:
    """Return the seconds for measuring and for 5,000 trials, and the best score after all of them and after 500."""
    measured, target, preparing = prepared()
    began = time.perf_counter()
    found = search(measured, target, trials=TRIALS)
    seconds = time.perf_counter() - began
    assert found.trials == TRIALS
    fewer = search(measured, target, trials=PEER_TRIALS)
    return {
        "preparing": preparing,
        "seconds": seconds,
        "trials": TRIALS,
        "score": found.score,
        "at_500": fewer.score,
    }


def peer() -> dict[str, Any]:
    """Return the same for Optuna's default sampler with 500 trials."""
    import optuna

    measured, target, preparing = prepared()
    dialogues = np.arange(len(target))

    def objective(trial: Any) -> float:
        weights = tuple(trial.suggest_float(f"weight{i}", 0, 3) for i in range(MEMBERS))
        mix = tuple(trial.suggest_float(f"mix{i}", 0.01, 1) for i in range(len(METRICS)))
        setting = Consensus(weights, mix, trial.suggest_float("length", -0.2, 0.2))
        return float(target[dialogues, choose(scores(measured, setting))].mean())

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
    began = time.perf_counter()
    study.optimize(objective, n_trials=PEER_TRIALS)
    seconds = time.perf_counter() - began
    return {"preparing": preparing, "seconds": seconds, "trials": PEER_TRIALS, "score": study.best_value}


def main() -> None:
    """Run both sides in turn and write the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--peer", default="", help="folder that optuna was installed into; without it only our search runs"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", choices=["ours", "optuna"])
    options = parser.parse_args()
    if options.child:
        sys.stdout.write(json.dumps(ours() if options.child == "ours" else peer()) + "\n")
        return
    found: dict[str, list[dict[str, Any]]] = {"ours": [], "optuna": []}
    for _ in range(options.rounds):
        for side in ("ours", "optuna") if options.peer else ("ours",):
            found[side].append(child(__file__, "--child", side, extra_path=options.peer))
    body = []
    for side, results in found.items():
        if results:
            middle = sorted(results, key=lambda one: one["seconds"])[len(results) // 2]
            rate = statistics.median(one["trials"] / one["seconds"] for one in results)
            body.append([side, f"{middle['preparing']:.1f} s", f"{middle['seconds']:.1f} s", str(middle["trials"]),
                         f"{rate:.0f}", f"{middle['score']:.3f}", f"{middle.get('at_500', middle['score']):.3f}"])  # fmt: skip
    if options.peer:
        rates = {side: [one["trials"] / one["seconds"] for one in results] for side, results in found.items()}
        ratios = [own / other for own, other in zip(rates["ours"], rates["optuna"], strict=True)]
        record("blending", "trials of a search", "Optuna's TPE", ratios, rows(1, "dev")[1])
    head = ["", "measuring (once)", "search", "trials", "trials/s", "best score", "best score after 500"]
    text = (
        f"# Searching a consensus\n\n`python benchmarks/blending.py --peer FOLDER --rounds {options.rounds}`; {processor()}: {MEMBERS} members × "
        f"{CANDIDATES} candidates × {DIALOGUES} dialogues, one thread each, median of the rounds; scores on the dialogues "
        f"used by the search.\n\n{table(head, body)}\n"
    )
    (ROOT / "docs" / "benchmarks-blending.md").write_text(text, encoding="utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
