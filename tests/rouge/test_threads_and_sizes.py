"""The ways of counting and the number of threads change no bit: sizes around every limit of the kernels, any chunks."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.core.errors import UserError
from common.core.threads import cores, cpu_threads, side_by_side
from common.rouge import METRICS, corpus, pairwise
from tests.support.rouge_texts import daily_talk_summaries, made_up, spliced

PROFILES = ["korouge", "rouge101", "google"]
WORD = st.builds(
    # Words of one beginning and of 1 to 40 characters: up to 12 are compared at once, longer ones by their text.
    lambda letter, size, end: (letter * 40)[: size - 1] + end,
    st.sampled_from("ab"),
    st.sampled_from([1, 2, 3, 4, 5, 8, 9, 11, 12, 13, 14, 40]),
    st.sampled_from("abc"),
)
WORDS = st.lists(WORD, min_size=1, max_size=6)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """A text of 0 to 140 words out of a few, with sentences and odd spaces; 64 words and more are counted in another way."""
    words = draw(WORDS)
    count = draw(st.sampled_from([0, 1, 2, 7, 8, 9, 15, 16, 17, 62, 63, 64, 65, 128, 140]))
    rng = draw(st.randoms(use_true_random=False))
    gaps = draw(st.sampled_from([[" "], [" ", ". ", "."], [" ", "  ", "\n", " . "]]))
    found = "".join(rng.choice(words) + rng.choice(gaps) for _ in range(count))
    return draw(st.sampled_from(["", " ", "."])) + (found if draw(st.booleans()) else found.strip())


def scores(predictions, references, profile, compiled, **options) -> np.ndarray:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("common.rouge.counting.use_compiled", lambda characters: compiled)
        patch.setattr("common.rouge.counting.WORTH_THREADS", 0)
        patch.setattr("common.rouge.batch.CHUNK", options.pop("chunk", 2048))
        found = corpus(predictions, references, profile, "max", **options)
    return np.stack([found.per_example[key] for key in METRICS])


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(texts(), st.lists(texts(), min_size=1, max_size=3)), min_size=1, max_size=12),
    st.sampled_from(PROFILES),
    st.integers(1, 5),
)
def test_every_size_in_every_way(examples, profile, chunk):
    predictions, references = [p for p, _ in examples], [r for _, r in examples]
    wanted = scores(predictions, references, profile, False)
    for threads in (1, 3):
        assert np.array_equal(
            scores(predictions, references, profile, True, chunk=chunk, threads=threads), wanted
        )


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(texts(), max_size=5), max_size=6), st.sampled_from(PROFILES))
def test_matrices_in_every_way(candidates, profile):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("common.rouge.counting.use_compiled", lambda characters: False)
        wanted = pairwise(candidates, profile)
        patch.setattr("common.rouge.counting.use_compiled", lambda characters: True)
        patch.setattr("common.rouge.counting.WORTH_THREADS", 0)
        patch.setattr("common.rouge.matrices.CELLS", 20)
        for threads in (1, 3):
            found = pairwise(candidates, profile, threads=threads)
            for mine, theirs in zip(found, wanted, strict=True):
                assert mine.keys() == theirs.keys()
                assert all(np.array_equal(mine[key], theirs[key]) for key in theirs)


def test_matrices_of_few_texts_use_one_thread(monkeypatch):
    monkeypatch.setattr("common.rouge.counting.use_compiled", lambda characters: True)
    asked = []
    monkeypatch.setattr(
        "common.rouge.matrices.side_by_side", lambda work, parts, threads: asked.append(threads)
    )
    for dialogues in (20, 80):  # 4 and 16 million characters to compare, 0.5 and 2 million in the texts
        pairwise([["가나다라마바사아자 " * 312] * 8] * dialogues, "korouge", threads=4)
    assert asked == [1, 4]


def test_a_large_corpus_uses_the_threads_it_may_use_and_no_more(monkeypatch):
    seen: set[int] = set()

    def watched(work, parts, threads):
        def watching(part):
            seen.add(threading.get_ident())
            barrier.wait(timeout=20)  # so that every thread takes part
            work(part)

        barrier = threading.Barrier(threads)
        side_by_side(watching, parts[: len(parts) // threads * threads], threads)

    monkeypatch.setattr("common.rouge.batch.side_by_side", watched)
    monkeypatch.setattr("common.rouge.counting.use_compiled", lambda characters: True)
    monkeypatch.setattr("common.rouge.counting.WORTH_THREADS", 0)
    monkeypatch.setattr("common.rouge.batch.CHUNK", 10)
    pairs = spliced(daily_talk_summaries() or made_up(), 240)
    sides = [p for _, p in pairs], [[t] for t, _ in pairs]
    for threads in (1, 2, 4):
        seen.clear()
        corpus(*sides, threads=threads)
        assert len(seen) == threads
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    seen.clear()
    corpus(*sides)
    assert len(seen) == 3


def test_small_jobs_and_morphemes_use_one_thread(monkeypatch):
    asked = []
    monkeypatch.setattr("common.rouge.batch.side_by_side", lambda work, parts, threads: asked.append(threads))
    corpus(["가 나"], [["가"]], threads=4)
    monkeypatch.setattr("common.rouge.counting.WORTH_THREADS", 0)
    corpus(["가 나"], [["가"]], "leaderboard", threads=4, cache_dir="off")
    assert asked == [1, 1]


def test_a_value_that_is_no_text_is_named_by_its_place_in_the_whole_list(monkeypatch):
    monkeypatch.setattr("common.rouge.batch.CHUNK", 2)
    monkeypatch.setattr("common.rouge.counting.WORTH_THREADS", 0)
    monkeypatch.setattr("common.rouge.counting.use_compiled", lambda characters: True)
    for threads in (1, 3):
        with pytest.raises(UserError, match=r"predictions\[5\] is int"):
            corpus(["가"] * 5 + [3], [["가"]] * 6, threads=threads)  # type: ignore[list-item]
        with pytest.raises(UserError, match=r"references\[4\]\[1\] is NaN"):
            corpus(["가"] * 6, [["가"]] * 4 + [["가", float("nan")], ["가"]], threads=threads)  # type: ignore[list-item]


@pytest.mark.parametrize(("value", "wanted"), [("3", 3), ("2,4", 2), ("0", None), ("many", None), ("", None)])
def test_omp_num_threads_limits(value, wanted, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert cpu_threads() == (wanted or cores())


def test_side_by_side_stops_at_the_first_failure():
    done = []

    def work(part):
        if part == 1:
            raise ValueError("part 1")
        done.append(part)

    for threads in (1, 2):
        with pytest.raises(ValueError, match="part 1"):
            side_by_side(work, range(500), threads)
    assert len(done) < 1000


@pytest.mark.slow
def test_without_vector_instructions_the_scores_are_the_same():
    code = (
        "from common.rouge import corpus, compiled; from tests.support.rouge_texts import made_up, spliced; import hashlib\n"
        "compiled.warm_up(); pairs = spliced(made_up(), 900)\n"
        "for profile in ('korouge', 'rouge101'):\n"
        "    scores = corpus([p for _, p in pairs], [[t] for t, _ in pairs], profile).per_example\n"
        "    print(hashlib.sha256(b''.join(values.tobytes() for values in scores.values())).hexdigest())\n"
    )
    plain = {**os.environ, "NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    plain["NUMBA_CACHE_DIR"] = os.devnull  # nothing is stored for another processor
    answers = [
        subprocess.run(
            [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
        ).stdout
        for env in (dict(os.environ), plain)
    ]
    assert answers[0] == answers[1]
    assert answers[0]
