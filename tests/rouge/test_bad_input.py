"""Each mistake is one UserError that says what was found and what to do."""

import math
import subprocess
import sys
from importlib import metadata

import numpy as np
import pytest

from common.core.errors import UserError
from common.rouge import (
    BootstrapAggregator,
    Rouge101,
    RougeScorer,
    align,
    corpus,
    cross,
    get_profile,
    get_tokenizer,
    pairwise,
)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: corpus(["가"], []),
            "predictions has 1 texts and references 0.*Match both sides by id with common.rouge.align",
        ),
        (lambda: corpus([], []), "no examples"),
        (
            lambda: corpus(["가", math.nan], [["가"], ["나"]]),
            r"predictions\[1\] is NaN.*keep_default_na=False",
        ),
        (lambda: corpus(["가", None], [["가"], ["나"]]), r"predictions\[1\] is NoneType"),
        (lambda: corpus(["가"], [[3]]), r"references\[0\]\[0\] is int \(3\)"),
        (lambda: corpus(["가"], [math.nan]), r"references\[0\] is NaN"),
        (lambda: corpus(["가"], [[]]), r"references\[0\] is empty"),
        (lambda: corpus("가", [["가"]]), "predictions is str; wanted a list"),
        (lambda: corpus(["가"], "가"), "references is str; wanted one list"),
        (
            lambda: corpus(["가"], [["가"]], "rouge"),
            "unknown ROUGE profile 'rouge'.*korouge, rouge101, leaderboard, google",
        ),
        (lambda: corpus(["가"], [["가"]], tokenizer="okt"), "unknown tokenizer 'okt'.*whitespace, mecab"),
        (lambda: corpus(["가"], [["가"]], references_mode="median"), "unknown references_mode 'median'"),
        (
            lambda: corpus(["가"], [["가"]], references_mode=1),
            "references_mode is 1, but an example has only 1",
        ),
        (lambda: corpus(["가"], [["가", "나"]], "rouge101"), "defined for one reference.*references_mode="),
        (lambda: corpus(["가"], [["가"]], "rouge101", tokenizer="mecab"), "takes no tokenizer"),
        (lambda: corpus(["a"], [["a"]], "google", tokenizer="char"), "cannot use 'char'"),
        (lambda: corpus(["a"], [["a"]], "leaderboard", use_stemmer=True), "takes no stemmer"),
        (lambda: corpus(["a"], [["가"]], "google"), "Hangul.*--profile leaderboard"),
        (lambda: pairwise([["a", 1.5]]), r"candidates\[0\]\[1\] is float"),
        (lambda: pairwise(["ab"]), r"candidates\[0\] is str"),
        (lambda: pairwise("ab"), "candidates is str"),
        (lambda: cross([["a"]], []), "candidates has 1 texts and references 0"),
        (lambda: cross([["a"]], [["a", None]]), r"references\[0\]\[1\] is NoneType"),
        (lambda: cross(["ab"], [["a"]]), r"candidates\[0\] is str"),
        (lambda: RougeScorer(["rouge0"]), "unknown rouge type 'rouge0'.*rougeLsum"),
        (lambda: RougeScorer(["rouge1"]).score(None, "가"), "target is NoneType"),
        (lambda: RougeScorer(["rouge1"]).score_multi([], "가"), "at least one"),
        (lambda: RougeScorer(["rouge1"]).score_multi("가", "가"), "wanted a list"),
        (lambda: Rouge101().get_scores(["가"], ["가", "나"]), "hyps has 1 texts and refs 2"),
        (lambda: Rouge101().get_scores([], [], avg=True), "at least one pair"),
        (lambda: BootstrapAggregator(confidence_interval=95), "from 0 to 1"),
        (lambda: BootstrapAggregator(n_samples=0), "at least 1"),
        (lambda: get_profile("x"), "unknown ROUGE profile"),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(UserError, match=words):
        call()


def test_align_joins_by_id():
    ids, predictions, references, absent = align({"b": "나", "a": "가"}, {"a": ["가"], "b": "나"})
    assert (ids, predictions, references, absent) == (["a", "b"], ["가", "나"], [["가"], ["나"]], [])


def test_align_reports_an_id_on_one_side_only():
    with pytest.raises(UserError, match="1 of 2 predicted ids have no reference, first 'x'"):
        align({"a": "가", "x": "나"}, {"a": ["가"]})
    with pytest.raises(UserError, match=r"1 of 2 references have no prediction, first 'b'.*missing='zero'"):
        align({"a": "가"}, {"a": ["가"], "b": ["나"]})
    _, predictions, _, absent = align({"a": "가"}, {"a": ["가"], "b": ["나"]}, missing="zero")
    assert (predictions, absent) == (["가", ""], ["b"])
    with pytest.raises(UserError, match="missing is 'skip'"):
        align({}, {}, missing="skip")


def test_rouge101_counts_what_the_package_raises_on():
    scorer = Rouge101()
    scores = scorer.get_scores(["", "...", "가", "가"], ["가", "가", "가", "."])
    assert scorer.empty == 3
    assert [score["rouge-1"]["r"] for score in scores] == [0.0, 0.0, 1.0, 0.0]


@pytest.mark.parametrize(("name", "command"), [("mecab", "pip install mecab-ko"), ("kiwi", "kiwipiepy")])
def test_a_missing_analyser_is_an_error_and_never_a_fallback(name, command, monkeypatch):
    def missing(package: str) -> str:
        raise metadata.PackageNotFoundError(package)

    monkeypatch.setattr(metadata, "version", missing)
    with pytest.raises(UserError, match=rf"tokenizer '{name}' needs .*not installed.*{command}"):
        get_tokenizer(name)


def test_split_summaries_without_punkt_data_says_how_to_get_it(monkeypatch):
    nltk = pytest.importorskip("nltk")

    def no_data(text: str) -> list[str]:
        raise LookupError("punkt")

    monkeypatch.setattr(nltk, "sent_tokenize", no_data)
    with pytest.raises(UserError, match=r"nltk\.downloader punkt_tab"):
        RougeScorer(["rougeLsum"], split_summaries=True).score("가", "가")
    monkeypatch.setattr(nltk, "sent_tokenize", lambda text: text.split("! "))
    score = RougeScorer(["rougeLsum"], split_summaries=True).score("a b! c d", "c d! a b")["rougeLsum"]
    assert score.fmeasure == 1.0  # whole-text ROUGE-L would be 0.5


def test_importing_and_small_calls_load_no_heavy_package():
    code = (
        "import sys; from common.rouge import corpus, pairwise; corpus(['가 나'] * 600, [['가']] * 600); "
        "pairwise([['가', '나']] * 50, 'korouge'); "
        "print([m for m in ('numba', 'torch', 'pandas', 'nltk', 'scipy', 'mecab_ko') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_numbers_are_python_floats_where_promised():
    scores = corpus(["가"], [["가"]])
    assert type(scores.headline) is float
    assert all(type(value) is float for value in scores.keyed().values())
    assert all(isinstance(values, np.ndarray) for values in scores.per_example.values())
