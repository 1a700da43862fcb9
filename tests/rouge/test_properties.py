"""What must hold for any text, and where it does not hold."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.rouge import METRICS, RougeScorer, corpus, leaderboard_score, pairwise
from common.rouge.tokenizers import char_tokenizer
from tests.support.rouge_texts import UNRELATED, daily_talk_summaries

WORDS = st.lists(st.sampled_from(["가", "나", "다", "라", "마."]), min_size=1, max_size=30).map(" ".join)
TYPES = ["rouge1", "rouge2", "rouge3", "rougeL", "rougeLsum"]


@settings(max_examples=200)
@given(WORDS, WORDS)
def test_range_and_swap(a, b):
    scorer = RougeScorer(TYPES)
    forth, back = scorer.score(a, b), scorer.score(b, a)
    for key in TYPES:
        assert 0.0 <= min(forth[key]) <= max(forth[key]) <= 1.0
        if key != "rougeLsum":  # its union runs over the target's sentences only
            assert (forth[key].precision, forth[key].recall) == (back[key].recall, back[key].precision)
            assert forth[key].fmeasure == back[key].fmeasure


@settings(max_examples=100)
@given(st.lists(st.sampled_from("가나다라"), min_size=3, max_size=30).map(" ".join))
def test_identity(text):
    assert all(tuple(score) == (1.0, 1.0, 1.0) for score in RougeScorer(TYPES).score(text, text).values())


@pytest.mark.parametrize("profile", ["korouge", "leaderboard", "rouge101"])
def test_symmetry_where_it_holds(profile, tmp_path):
    texts = ["나 가 다 라", "가 나 라 다", "다 다 가", "라. 가 나", "가 나. 다 라. 가", "가"]
    for key, matrix in pairwise([texts], profile, cache_dir=tmp_path)[0].items():
        symmetric = np.array_equal(matrix, matrix.T)
        assert symmetric or (profile == "rouge101" and key in ("rougeL", "rouge_sum"))


def test_rouge_l_of_rouge101_is_not_symmetric():
    """Its union holds tokens, and which LCS it walks back through depends on the side that is the reference."""
    rng = random.Random(0)
    texts = [" ".join(rng.choices("가나다라", k=7)) for _ in range(40)]
    matrix = pairwise([texts], "rouge101")[0]["rougeL"]
    assert not np.array_equal(matrix, matrix.T)


def test_rows_are_hypotheses_and_columns_references():
    short, long = "가 나.", "나 가. 가 나 다 라. 라 나"
    matrix = pairwise([[short, long]], "rouge101")[0]["rougeL"]
    assert matrix[0, 1] == corpus([short], [[long]], "rouge101").per_example["rougeL"][0]
    assert matrix[1, 0] == corpus([long], [[short]], "rouge101").per_example["rougeL"][0]


def test_corpus_mean_does_not_depend_on_order():
    rng = random.Random(4)
    texts = daily_talk_summaries()[:200] or [" ".join(rng.choices("가나다라", k=9)) for _ in range(200)]
    predictions, references = texts[1:] + texts[:1], [[text] for text in texts]
    order = rng.sample(range(len(texts)), len(texts))
    first = corpus(predictions, references)
    second = corpus([predictions[k] for k in order], [references[k] for k in order])
    for key in first.mean:
        assert np.array_equal(first.per_example[key][order], second.per_example[key])
        assert first.mean[key] == pytest.approx(second.mean[key], abs=1e-12)


def test_pair_order_and_chunking_change_nothing(monkeypatch):
    rng = random.Random(8)
    predictions = [" ".join(rng.choices("가나다라", k=rng.randint(0, 9))) for _ in range(150)]
    references = [
        [" ".join(rng.choices("가나다라", k=6)) for _ in range(rng.randint(1, 3))] for _ in predictions
    ]
    whole = corpus(predictions, references)
    monkeypatch.setattr("common.rouge.batch.CHUNK", 7)
    for key, values in corpus(predictions, references).per_example.items():
        assert np.array_equal(values, whole.per_example[key])


def test_the_leaderboards_published_arithmetic():
    assert round(leaderboard_score(0.5135, 0.3181, 0.4233), 2) == 41.83
    assert round(leaderboard_score(0.5754, 0.3848, 0.4955), 2) == 48.52


def test_headlines():
    predictions, references = ["가 나 다", "가 나 라 마"], [["가 나 다 라"], ["가 나"]]
    korouge = corpus(predictions, references, "korouge")
    assert (korouge.headline_key, korouge.headline) == ("rouge_mean", korouge.mean["rouge_mean"])
    assert korouge.headline == pytest.approx(np.mean([korouge.mean[key] for key in METRICS]))
    rouge101 = corpus(predictions, references, "rouge101")
    assert rouge101.headline_key == "rouge_sum"
    assert rouge101.headline == pytest.approx(100 * sum(rouge101.mean[key] for key in METRICS))
    board = corpus(predictions, references, "leaderboard", cache_dir="off")
    assert board.headline == pytest.approx(leaderboard_score(*(board.mean[key] for key in METRICS)))
    google = corpus(["a b"], [["a c"]], "google")
    assert google.mean["rouge1"] == 50.0
    assert google.headline == pytest.approx(np.mean([google.mean[key] for key in METRICS]))


def test_keys_carry_profile_tokenizer_and_mode():
    scores = corpus(["가 나"], [["가 다"]], "leaderboard", cache_dir="off")
    assert "leaderboard[mecab-ko-1.0.3+dic-1.0.0]/rouge1" in scores.keyed()
    several = corpus(["가 나"], [["가 다", "나"]], "leaderboard", "max", cache_dir="off")
    assert "leaderboard[mecab-ko-1.0.3+dic-1.0.0,max]/leaderboard" in several.keyed()
    assert "korouge[char]/rougeL" in corpus(["가"], [["나"]], tokenizer="char").keyed()
    assert "google[alnum+stem]/rouge1" in corpus(["a"], [["a"]], "google", use_stemmer=True).keyed()


@pytest.mark.parametrize("profile", ["korouge", "leaderboard", "rouge101"])
def test_ways_to_combine_references(profile):
    prediction, references = "가 나 다", ["가 나 라", "가", "다 나 가 다"]
    alone = [
        corpus([prediction], [[r]], profile, cache_dir="off").per_example["rouge1"][0] for r in references
    ]
    both = {
        mode: corpus([prediction], [references], profile, mode, cache_dir="off").per_example["rouge1"][0]
        for mode in ("max", "mean", 1)
    }
    assert both["max"] == max(alone)
    assert both["mean"] == pytest.approx(np.mean(alone), abs=1e-15)
    assert both[1] == alone[1]


def test_leaderboard_takes_the_mean_and_korouge_the_best_by_default():
    prediction, references = ["가 나"], [["가 나", "다 라"]]
    assert corpus(prediction, references, "korouge").mean["rouge1"] == 1.0
    assert corpus(prediction, references, "leaderboard", cache_dir="off").mean["rouge1"] == 0.5


@pytest.mark.parametrize("profile", ["korouge", "leaderboard", "rouge101"])
def test_blank_predictions_score_zero_and_are_counted(profile):
    scores = corpus(["", " \n", "가"], [[""], [" "], ["가"]], profile, cache_dir="off")
    assert scores.empty_predictions == 2
    assert scores.per_example["rouge1"][:2].tolist() == [0.0, 0.0]
    assert scores.per_example["rouge1"][2] > 0.99
    matrix = pairwise([["", "", "가"]], profile, cache_dir="off")[0]["rouge1"]
    assert matrix[:2].sum() == 0.0
    assert matrix[:, :2].sum() == 0.0


def test_the_trap_unrelated_korean_scores_one_with_default_rouge_score():
    """rouge_score keeps a-z and 0-9 only, so of Korean it compares the tags and digits."""
    google = pytest.importorskip("rouge_score.rouge_scorer", reason="rouge-score is a dev extra")
    package = google.RougeScorer(["rouge1", "rougeL"])
    for target, prediction in UNRELATED:
        assert package.score(target, prediction)["rouge1"].fmeasure == 1.0
        assert package.score(target, prediction)["rougeL"].fmeasure == 1.0
    predictions, references = [p for _, p in UNRELATED], [[t] for t, _ in UNRELATED]
    assert corpus(predictions, references, "korouge").mean["rouge1"] < 0.2
    assert corpus(predictions, references, "rouge101").mean["rouge1"] < 0.2
    assert corpus(predictions, references, "leaderboard", cache_dir="off").mean["rouge2"] < 0.35


def test_char_tokens():
    assert char_tokenizer().tokenize("가 나\u3000A\n") == ["가", "나", "A"]


def test_a_tokenizer_of_ones_own():
    class Syllables:
        def tokenize(self, text: str) -> list[str]:
            return list(text.replace(" ", ""))

    assert RougeScorer(["rouge1"], tokenizer=Syllables()).score("가나", "나 가")["rouge1"].fmeasure == 1.0
