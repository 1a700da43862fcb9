"""Writes the CSVs of daily_talk from a seed: the same bytes on every machine."""

import csv
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import click

from competitions.daily_talk.generator import everyday
from competitions.daily_talk.generator.engine import Talk, TooCommonError, make
from competitions.daily_talk.generator.everyday import Everyday
from competitions.daily_talk.generator.script import all_situations

SEED = "daily_talk-1"
ROWS = {"train": 5000, "dev": 200, "test": 200}
SIMILAR = 0.6  # Jaccard similarity of three-word shingles from which two dialogues count as near-duplicates
DATA = Path(__file__).resolve().parents[1] / "data"


def shingles(dialogue: str) -> set[tuple[str, ...]]:
    """Return every three words in a row of a dialogue."""
    words = dialogue.split()
    return {tuple(words[i : i + 3]) for i in range(len(words) - 2)}


class Index:
    """Dialogues so far, to find out whether a new one is nearly equal to one of them."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.holders: dict[tuple[str, ...], list[int]] = defaultdict(list)

    def similarity(self, found: set[tuple[str, ...]]) -> float:
        """Return the highest Jaccard similarity with a dialogue in the index, in [0, 1]."""
        shared = Counter(number for shingle in found for number in self.holders[shingle])
        return max((n / (len(found) + self.sizes[i] - n) for i, n in shared.items()), default=0.0)

    def add(self, found: set[tuple[str, ...]]) -> None:
        """Add a dialogue, given by its shingles."""
        for shingle in found:
            self.holders[shingle].append(len(self.sizes))
        self.sizes.append(len(found))


def talks(count: int, everyday: Everyday) -> list[Talk]:
    """Return `count` talks, the situations in turn; none is nearly equal to another or has a run that is in the list.

    Raises SystemExit when a situation needs more than 40 tries a talk, DataError when a situation file has a fault.
    """
    index, made = Index(), list[Talk]()
    found = all_situations()
    tries = Counter[str]()
    while len(made) < count:
        situation = found[len(made) % len(found)]
        name = situation.name
        tries[name] += 1
        if tries[name] > 40 * (len(made) // len(found) + 1):
            raise SystemExit(f"{name}: {tries[name]} tries; its wordings vary too little or are too common")
        try:
            talk = make(situation, f"{SEED}-{name}-{tries[name]}", everyday)
        except TooCommonError:
            continue
        pieces = shingles(talk.dialogue)
        if index.similarity(pieces) < SIMILAR:
            index.add(pieces)
            made.append(talk)
    return made


def write(name: str, header: list[str], rows: list[list[str]]) -> None:
    """Write one CSV with every cell quoted."""
    with (DATA / name).open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def texts(corpora: list[Path]) -> Iterator[str]:
    """Yield every cell of other corpora's CSVs."""
    for path in corpora:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            for row in csv.reader(lines):
                yield from row


@click.command()
@click.option("--against", "corpora", type=click.Path(exists=True, dir_okay=False, path_type=Path), multiple=True,
              help="A corpus (CSV) that no talk may share 22 characters with; repeat it for each. Rewrites everyday.txt.")  # fmt: skip
def main(corpora: tuple[Path, ...]) -> None:
    """Write the CSVs of daily_talk again: the same bytes on every machine."""
    try:
        if corpora:
            found = everyday.of(texts(list(corpora)))
            talks(sum(ROWS.values()), found)
            everyday.commit(found.met)
        write_all(everyday.committed())
    except ValueError as error:  # a situation file, or a talk made from it, breaks a rule of the format
        raise click.ClickException(str(error)) from error


def write_all(avoided: Everyday) -> None:
    """Make all splits and write train, dev, test, sample submission and solution."""
    made = talks(sum(ROWS.values()), avoided)
    rng = random.Random(SEED)
    rng.shuffle(made)
    DATA.mkdir(parents=True, exist_ok=True)
    start = 0
    for split, count in ROWS.items():
        part = made[start : start + count]
        start += count
        ids = [f"{split}_{number}" for number in range(count)]
        if split == "test":
            write(
                "test.csv", ["fname", "dialogue"], [[i, t.dialogue] for i, t in zip(ids, part, strict=True)]
            )
            write("solution.csv", ["fname", "summary1", "summary2", "summary3"],
                  [[i, *t.summaries] for i, t in zip(ids, part, strict=True)])  # fmt: skip
            write("sample_submission.csv", ["", "fname", "summary"],
                  [[str(n), i, "요약문을 입력하세요."] for n, i in enumerate(ids)])  # fmt: skip
        else:
            write(f"{split}.csv", ["fname", "dialogue", "summary", "topic"],
                  [[i, t.dialogue, rng.choice(t.summaries), t.topic] for i, t in zip(ids, part, strict=True)])  # fmt: skip
    print(
        {
            name: f"{(DATA / name).stat().st_size / 1e6:.2f} MB"
            for name in sorted(p.name for p in DATA.glob("*.csv"))
        }
    )


if __name__ == "__main__":
    main()
