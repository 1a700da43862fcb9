"""Compare common.rouge with its peers on the same texts, in one process; write docs/benchmarks-rouge.md.

    pip install --no-deps --target /tmp/bench-peers rapidrouge==0.2.0 rouge-score-rs==0.2.1 rouge-rust==0.1.12
    PYTHONPATH=/tmp/bench-peers python benchmarks/rouge.py

Every round times every tool in turn for at least a third of a second, so that other load on the machine affects all
of them alike. A ratio is taken within a round; the table shows the median over the rounds with minimum and maximum.
"""

import argparse
import importlib
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.shared import processor
from common.core.threads import cpu_threads
from common.rouge import METRICS, CorpusScores, corpus, pairwise
from tests.support.rouge_texts import daily_talk_summaries, real_summaries, spliced

ROOT = Path(__file__).resolve().parents[1]
# Python puts this file's folder first on the path, so "import rouge" would import this file.
sys.path = [folder for folder in sys.path if Path(folder).resolve() != Path(__file__).resolve().parent]
sys.path.insert(0, str(ROOT))

from benchmarks.shared import record  # noqa: E402

TYPES = list(METRICS)
Pairs = list[tuple[str, str]]


class Sides(NamedTuple):
    """The same pairs in the form that each interface needs, prepared outside the timing."""

    targets: list[str]
    predictions: list[str]
    references: list[list[str]]


Tool = Callable[[Sides], Any]


def sets() -> dict[str, list[str]]:
    """Return the summaries of each competition that is measured: of BENCH_DATA, else of all whose files are here."""
    found = {"daily_talk": daily_talk_summaries(), "dialogue_summarization": real_summaries()}
    wanted = os.environ.get("BENCH_DATA")
    return {name: texts for name, texts in found.items() if texts and wanted in (None, name)}


def loaded(name: str) -> object | None:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def renamed(sides: Sides) -> tuple[list[str], list[str]]:
    """Return targets and predictions with every korouge token as an ASCII word, which tools for English can split."""
    number: dict[str, str] = {}
    out: tuple[list[str], list[str]] = ([], [])
    for texts, words in zip((sides.targets, sides.predictions), out, strict=True):
        for text in texts:
            tokens = text.lower().split()
            if text[:1].isspace() or not text:
                tokens.insert(0, "")
            if text[-1:].isspace():
                tokens.append("")
            words.append(" ".join([number.setdefault(token, f"w{len(number)}") for token in tokens]))
    return out


def f_of(answer: Any) -> np.ndarray:
    """Return F1 [pairs, 3] from the answer of any tool; not part of the timing."""
    if isinstance(answer, CorpusScores):
        return np.stack([answer.per_example[key] for key in TYPES], axis=1)
    if isinstance(answer, list) and "rouge-1" in answer[0]:
        return np.array([[score[key]["f"] for key in ("rouge-1", "rouge-2", "rouge-l")] for score in answer])
    if isinstance(answer, list) and isinstance(answer[0]["rouge1"], np.ndarray):
        return np.concatenate([np.stack([m[key].ravel() for key in TYPES], axis=1) for m in answer])
    if isinstance(answer, list):
        return np.array([[score[key].fmeasure for key in TYPES] for score in answer])
    return np.stack([getattr(answer, f"{key}_fmeasure") for key in TYPES], axis=1)


def ours(profile: str, threads: int) -> Tool:
    return lambda sides: corpus(sides.predictions, sides.references, profile, threads=threads)


def by_threads(name: str, most: int, tool: Callable[[int], Tool]) -> dict[str, Tool]:
    """Return the tool in one thread and, where there are more, in all of them."""
    return {
        f"{name}, {threads} thread{'s' if threads > 1 else ''}": tool(threads)
        for threads in sorted({1, most})
    }


def korouge_tool() -> Tool:
    from korouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(TYPES)
    return lambda sides: [scorer.score(t, p) for t, p in zip(sides.targets, sides.predictions, strict=True)]


def tools(most: int) -> dict[str, Tool]:
    """Return the tools that give korouge's numbers.

    Tools for English get renamed words, and the time for renaming counts.
    """
    found: dict[str, Tool] = {"korouge-score 0.1.4": korouge_tool()}
    found |= by_threads("common.rouge", most, lambda threads: ours("korouge", threads))

    class Whitespace:
        def tokenize(self, text: str) -> list[str]:
            from common.rouge.tokenizers import split_keeping_edges

            return split_keeping_edges(text)

    for name, module in (
        ("rouge-score 0.1.2", "rouge_score.rouge_scorer"),
        ("rapidrouge", "rapidrouge.rouge_scorer"),
    ):
        package = loaded(module)
        if package:
            scorer = package.RougeScorer(TYPES, tokenizer=Whitespace())  # type: ignore[attr-defined]
            found[f"{name}, own whitespace tokenizer"] = lambda sides, s=scorer: [
                s.score(t, p) for t, p in zip(sides.targets, sides.predictions, strict=True)
            ]
    package = loaded("rouge_score_rs.rouge_scorer")
    if package:
        rust = package.RougeScorer(TYPES)  # type: ignore[attr-defined]

        found["rouge-score-rs, renamed words"] = lambda sides: rust.score_batch(*renamed(sides))
    package = loaded("fast_rouge")
    if package:
        found["rouge-rust, renamed words"] = lambda sides: package.score_batch_flat(*renamed(sides))  # type: ignore[attr-defined]
    return found


def race(contenders: dict[str, Tool], pairs: Pairs, rounds: int, base: str, data: str) -> list[str]:
    """Return table rows: time per pair, how many times faster than ``base``, largest difference from it.

    Record the ratios of our own tools.
    """
    times: dict[str, list[float]] = {name: [] for name in contenders}
    answers: dict[str, Any] = {}
    sides = Sides([t for t, _ in pairs], [p for _, p in pairs], [[t] for t, _ in pairs])
    for _ in range(rounds):
        for name, tool in contenders.items():
            runs, begin = 0, time.perf_counter()
            while time.perf_counter() - begin < 0.3:
                answers[name] = tool(sides)
                runs += 1
            times[name].append((time.perf_counter() - begin) / runs)
    rows = []
    for name in contenders:
        ratios = [slow / fast for slow, fast in zip(times[base], times[name], strict=True)]
        difference = np.abs(f_of(answers[name]) - f_of(answers[base])).max()
        if name.startswith("common.rouge") and name != base:
            record("rouge", f"{name}, {len(pairs):,} pairs", base, ratios, data, difference=float(difference))
        rows.append(
            f"| {name} | {statistics.median(times[name]) / len(pairs) * 1e6:.2f} µs | {statistics.median(ratios):.1f}× "
            f"({min(ratios):.1f}–{max(ratios):.1f}) | {difference:g} |"
        )
    return rows


HEAD = [
    "| tool | time per pair | times faster than the first (min–max) | max difference |",
    "|---|---|---|---|",
]


def short_pairs(pairs: Pairs, rounds: int, most: int, data: str) -> list[str]:
    lines = [f"### {len(pairs):,} summary pairs from raw strings", "", *HEAD]
    return [*lines, *race(tools(most), pairs, rounds, "korouge-score 0.1.4", data), ""]


def rouge101_pairs(pairs: Pairs, rounds: int, most: int, data: str) -> list[str]:
    import rouge

    package = rouge.Rouge()

    def run(sides: Sides) -> Any:
        return package.get_scores(sides.predictions, sides.targets)

    pairs = [(t, p) for t, p in pairs if t.strip(". ") and p.strip(". ")]
    contenders: dict[str, Tool] = {"rouge 1.0.1": run}
    contenders |= by_threads(
        "common.rouge, profile rouge101", most, lambda threads: ours("rouge101", threads)
    )
    lines = [f"### {len(pairs):,} summary pairs, the `rouge` package's metric", "", *HEAD]
    return [*lines, *race(contenders, pairs, rounds, "rouge 1.0.1", data), ""]


def matrices(texts: list[str], rounds: int, most: int, data: str) -> list[str]:
    predictions = [p for _, p in spliced(texts, 499 * 9, seed=5) if p.strip()][: 499 * 8]
    groups = [predictions[k : k + 8] for k in range(0, len(predictions), 8)]
    loop = korouge_tool()
    pairs = [(r, h) for group in groups for h in group for r in group]

    contenders: dict[str, Tool] = {"korouge-score double loop": loop}
    contenders |= by_threads(
        "common.rouge pairwise",
        most,
        lambda threads: lambda sides: pairwise(groups, "korouge", threads=threads),
    )
    lines = [f"### Pairwise, 499 dialogues × 8 candidates ({len(pairs):,} pairs)", "", *HEAD]
    return [*lines, *race(contenders, pairs, rounds, "korouge-score double loop", data), ""]


def scaling(texts: list[str], rounds: int, most: int) -> list[str]:
    """Return how much faster all threads are than one, as a share of linear, and whether every bit is equal."""
    if most == 1:
        return []
    lines = [
        f"### {most} threads against one",
        "",
        f"| work | one thread | {most} threads | times faster (min–max) | share of linear | equal bits |",
        "|---|---|---|---|---|---|",
    ]
    pairs = spliced(texts, 120_000)
    long = [
        (" ".join(a for a, _ in pairs[k : k + 30]), " ".join(b for _, b in pairs[k : k + 30]))
        for k in range(0, 90_000, 30)
    ]
    groups = [[p for _, p in pairs[k : k + 8]] for k in range(0, 32_000, 8)]
    works: dict[str, Callable[[int], Any]] = {}
    for name, profile, some in (
        ("12,000 pairs, korouge", "korouge", pairs[:12_000]),
        ("120,000 pairs, korouge", "korouge", pairs),
        ("12,000 pairs, rouge101", "rouge101", pairs[:12_000]),
        ("120,000 pairs, rouge101", "rouge101", pairs),
        (f"{len(long):,} pairs of 30 joined summaries, korouge", "korouge", long),
    ):
        sides = [p for _, p in some], [[t] for t, _ in some]
        works[name] = lambda threads, sides=sides, profile=profile: corpus(*sides, profile, threads=threads)
    works["pairwise, 4,000 dialogues × 8, korouge"] = lambda threads: pairwise(
        groups, "korouge", threads=threads
    )
    for name, work in works.items():
        seconds: dict[int, list[float]] = {1: [], most: []}
        answers: dict[int, Any] = {}
        for _ in range(rounds):
            for threads, times in seconds.items():
                runs, begin = 0, time.perf_counter()
                while time.perf_counter() - begin < 0.3:
                    answers[threads] = work(threads)
                    runs += 1
                times.append((time.perf_counter() - begin) / runs)
        ratios = [one / all_ for one, all_ in zip(seconds[1], seconds[most], strict=True)]
        same = f_of(answers[1]).tobytes() == f_of(answers[most]).tobytes()
        faster = statistics.median(ratios)
        lines.append(
            f"| {name} | {statistics.median(seconds[1]) * 1e3:.1f} ms | {statistics.median(seconds[most]) * 1e3:.1f} ms "
            f"| {faster:.2f}× ({min(ratios):.2f}–{max(ratios):.2f}) | {faster / most:.2f} | {'yes' if same else '**no**'} |"
        )
    return [*lines, ""]


def long_pairs(texts: list[str], rounds: int, data: str) -> list[str]:
    words = " ".join(texts).split()
    rng = random.Random(3)
    pairs = []
    for _ in range(20):
        begin = rng.randrange(len(words) - 3000)
        target = words[begin : begin + 2000]
        shifted = [word if rng.random() < 0.7 else rng.choice(words) for word in target]
        pairs.append((" ".join(target), " ".join(shifted)))
    contenders = {k: v for k, v in tools(1).items() if "0.1" not in k}
    base = next((k for k in contenders if k.startswith("rouge-score-rs")), "common.rouge, 1 thread")
    contenders = {base: contenders.pop(base), **contenders}
    lines = ["### Pairs of 2,000 tokens each", "", *HEAD]
    return [*lines, *race(contenders, pairs, rounds, base, data), ""]


MEMORY = """
import json, resource, sys
sys.path[:0] = {path!r}
from pathlib import Path
from tests.support.rouge_texts import daily_talk_summaries, real_summaries, spliced
from common.rouge import compiled, corpus
compiled.warm_up()
pool = spliced(real_summaries() or daily_talk_summaries(), 5000)
n = {count}
predictions = [pool[k % 5000][1] for k in range(n)]
references = [[pool[k % 4999][0]] for k in range(n)]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
corpus(predictions, references)
print(json.dumps([before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))
"""

FIRST = """
import sys, time
sys.path[:0] = {path!r}
from tests.support.rouge_texts import daily_talk_summaries, real_summaries, spliced
pool = spliced(real_summaries() or daily_talk_summaries(), {count})
begin = time.perf_counter()
from common.rouge import corpus
imported = time.perf_counter()
corpus([p for _, p in pool], [[t] for t, _ in pool])
print(imported - begin, time.perf_counter() - imported, "numba" in sys.modules)
"""

COMPILE = """
import sys, time
sys.path[:0] = {path!r}
begin = time.perf_counter()
from common.rouge import compiled
compiled.warm_up()
print(time.perf_counter() - begin)
"""


def child(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, **environment},
    )
    return done.stdout.strip().splitlines()[-1]


def memory() -> list[str]:
    lines = ["## Peak memory of the process", "", "| pairs | before scoring | peak |", "|---|---|---|"]
    for count in (10_000, 100_000, 1_000_000):
        before, peak = json.loads(child(MEMORY.format(path=[str(ROOT)], count=count)))
        lines.append(f"| {count:,} | {before / 1024:.0f} MB | {peak / 1024:.0f} MB |")
    note = "Pairs share their input strings; the lists that hold them already exist before scoring."
    return [*lines, "", note, ""]


def first_call() -> list[str]:
    lines = [
        "## First call in a fresh process",
        "",
        "| job | import | first call | compiled code used |",
        "|---|---|---|---|",
    ]
    for count in (499, 1497, 12_000):
        runs = [child(FIRST.format(path=[str(ROOT)], count=count)).split() for _ in range(5)]
        imports, calls = (statistics.median(float(run[k]) for run in runs) for k in (0, 1))
        lines.append(
            f"| corpus of {count:,} pairs | {imports:.2f} s | {calls:.2f} s | {'yes' if runs[0][2] == 'True' else 'no'} |"
        )
    code = COMPILE.format(path=[str(ROOT)])
    warm = statistics.median(float(child(code)) for _ in range(5))
    with tempfile.TemporaryDirectory() as folder:
        cold = float(child(code, NUMBA_CACHE_DIR=folder))
    lines += [
        f"| import numba and load every kernel from disk | | {warm:.2f} s | yes |",
        f"| import numba and compile every kernel, once per machine | | {cold:.1f} s | yes |",
    ]
    note = (
        "Only jobs that would take longer without compiled code wait for it (see `common/rouge/counting.py`)."
    )
    return [*lines, "", note, ""]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--pairs", type=int, default=12_000)
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "benchmarks-rouge.md")
    parser.add_argument("--threads", type=int, default=cpu_threads())
    options = parser.parse_args()
    os.environ["RAYON_NUM_THREADS"] = "1"  # the Rust tools read this at first use
    load = os.getloadavg()[0]
    # Measure these before anything is loaded: a process begins with the peak memory of the one that started it.
    first = [*first_call(), *memory()]
    from common.rouge.compiled import warm_up

    warm_up()
    fewer, most = max(3, options.rounds // 2), options.threads
    measured = []
    for name, texts in sets().items():
        pairs = spliced(texts, options.pairs)
        words = statistics.mean(len(text.split()) for pair in pairs for text in pair)
        length = statistics.mean(len(text) for pair in pairs for text in pair)
        measured += [
            f"## Summaries of {name}",
            "",
            f"A text has {words:.1f} words and {length:.0f} characters.",
            "",
            *short_pairs(pairs, options.rounds, most, name),
            *rouge101_pairs(pairs, fewer, most, name),
            *matrices(texts, fewer, most, name),
            *scaling(texts, fewer, most),
            *long_pairs(texts, options.rounds, name),
        ]
    lines = [
        "# common.rouge compared with its peers",
        "",
        "Generated by `benchmarks/rouge.py`; do not edit.",
        f"{processor()}, load {load:.1f} at the start, Python {platform.python_version()}, numpy "
        f"{np.__version__}. In a pair, the prediction is part of its target with a passage of another text inserted. "
        f"{options.rounds} rounds, {fewer} for `rouge`, matrices and threads.",
        "",
        *measured,
        *first,
    ]
    options.output.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    print(f"wrote {options.output}")


if __name__ == "__main__":
    main()
