"""Provide candidates of invented members."""

import random

import numpy as np

from common.data.rows import Row
from common.ensemble.consensus import agreement
from common.ensemble.cross_validation import MeasuredPool
from common.ensemble.features import features
from common.ensemble.pool import pool
from common.rouge import corpus
from common.runs.candidates import Candidate
from tests.support import tiny

NEAR_COPY = 0.999  # the tests' dialogues are all alike
CONSTANT = "#Person1#과 #Person2#는 함께 이야기를 나눈다."


def texts_of(row: Row, error: float, rng: random.Random, count: int) -> list[Candidate]:
    """Return summaries in which this share of the words is wrong."""
    made = []
    for _ in range(count):
        words = [w if rng.random() > error else rng.choice(tiny.THINGS) for w in row.summaries[0].split()]
        made.append(Candidate(" ".join(words), -10 * error, len(words)))
    return made


def measured(rows: list[Row], members: dict[str, dict[str, list[Candidate]]]) -> MeasuredPool:
    found = pool(members)
    target = np.zeros(found.owner.shape)
    for place, (texts, row) in enumerate(zip(found.texts, rows, strict=True)):
        result = corpus(texts, [list(row.summaries)] * len(texts), "leaderboard")
        target[place, : len(texts)] = result.per_example["leaderboard"]
    dialogues = {row.id: row.dialogue for row in rows}
    return MeasuredPool(found, agreement(found), features(found, dialogues), target, tuple(rows), NEAR_COPY)
