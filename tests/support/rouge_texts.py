"""Provide texts for the ROUGE tests: difficult ones, and real ones if this machine has them."""

import csv
import json
import random
from functools import cache

from tests.support import REAL_DATA, REPOSITORY

AWKWARD = [
    "", " ", "\n", "가", " 가", "가 ", "  가  나  ", ".", "...", ". .", " . ", "가.나", "가. 나. ", "3.5 점", "가.가 나.가",
    "가\u00a0나", "가\u3000나", "가\u2003나\u2009다", "가\u200b나", "가\u200d나", "가\u0085나", "가\x1c나\x1f다", "가\x00나", "\x00",
    "\x00\x00 \x00", "ΑΣ Σ ΣΑΣ", "οδος ΟΔΟΣ", "İstanbul ISTANBUL ı", "ẞ ß SS", "Ǆ ǅ ǆ", "K k K", "𐐀 𐐨 Deseret", "😀 웃음 😀", "👨‍👩‍👧",
    "韓國 漢字", "ㄱㄴㄷ ㅏㅑ", "\u1100\u1161\u11a8", "각", "각 각", "ＡＢＣ ａｂｃ", "#Person1# said #PhoneNumber#",
    "#Person1#: 네.\n#Person2#: 아니요.", "A a A a", "running runs ran ponies", "가 나 다 가 나 다 가", "나 가 가 나", "\ud800 lone",
    "가나다라마바사아자차 가나다라마바사아자카", "12345678 123456789 12345678", "ABCDEFGHI abcdefghi", "\ufffe \uffff",
]  # fmt: skip
"""Empty, edges, every kind of space, case that changes length or depends on neighbours, NUL, emoji, hanja, jamo, NFD."""

UNRELATED = [
    ("#Person1#은 병원에서 진료를 받았다.", "#Person1#이 새 자전거를 사고 싶어 한다."),
    ("회의가 3시로 미뤄졌다.", "기차표 3장을 예매했다."),
]
"""Korean summaries of different dialogues which share only a tag or a digit."""


@cache
def real_summaries() -> list[str]:
    """Return summaries of the real Korean dev and train rows; [] when this machine has none."""
    found: list[str] = []
    for name in ("dev", "train"):
        path = REAL_DATA / "dialogue_summarization" / f"{name}.csv"
        if path.is_file():
            with path.open(encoding="utf-8", newline="") as file:
                found += [row["summary"] for row in csv.DictReader(file)]
    return found


@cache
def daily_talk_summaries() -> list[str]:
    """Return the summaries of the committed sample competition, from every column whose name starts with "summary"."""
    found: list[str] = []
    for path in sorted((REPOSITORY / "competitions" / "daily_talk" / "data").glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                found += [text for key, text in row.items() if key and key.startswith("summary") and text]
    return found


@cache
def english_summaries() -> list[str]:
    """Return summaries of real English dialogues; [] when this machine has none."""
    path = REAL_DATA / "dialogsum_en" / "test.jsonl"
    if not path.is_file():
        return []
    with path.open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return [text for row in rows for key, text in sorted(row.items()) if key.startswith("summary")]


@cache
def made_up(count: int = 400, seed: int = 7) -> list[str]:
    """Return random texts over small alphabets, with many repeats, ties and crossings; some have several lines."""
    rng = random.Random(seed)
    alphabets = [
        "가나다",
        "가 나 다. 라 마.",
        ["the", "cat", "sat", "on", "mats", "running"],
        ["a", "B", "b", "ab.", "."],
    ]
    texts = []
    for _ in range(count):
        words = rng.choice(alphabets)
        lines = [
            " ".join(rng.choices(words, k=rng.choice([0, 1, 3, 9, 40, 70])))
            for _ in range(rng.choice([1, 1, 3]))
        ]
        texts.append("\n".join(lines))
    return texts


def spliced(texts: list[str], count: int, seed: int = 11) -> list[tuple[str, str]]:
    """Return pairs (target, prediction): the prediction is part of the target with part of another text inserted."""
    rng = random.Random(seed)
    pairs = []
    for _ in range(count):
        target, other = rng.choice(texts), rng.choice(texts).split(" ")
        words = [word for word in target.split(" ") if rng.random() > 0.3]
        place, cut = rng.randint(0, len(words)), rng.randint(0, len(other))
        pairs.append((target, " ".join(words[:place] + other[cut : cut + 5] + words[place:])))
    return pairs
