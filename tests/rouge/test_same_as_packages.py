"""Every score against the installed packages; the largest difference allowed is 0.0.

Both engines are compared: plain Python, and the compiled kernels on the same pairs.
"""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.rouge import (
    METRICS,
    BootstrapAggregator,
    Rouge101,
    RougeScorer,
    corpus,
    cross,
    pairwise,
    porter,
)
from common.rouge.porter import porter_stem
from tests.support.rouge_texts import (
    AWKWARD,
    daily_talk_summaries,
    english_summaries,
    made_up,
    real_summaries,
    spliced,
)

korouge_scorer = pytest.importorskip("korouge_score.rouge_scorer", reason="korouge-score is a dev extra")
korouge_scoring = pytest.importorskip("korouge_score.scoring")
google_scorer = pytest.importorskip("rouge_score.rouge_scorer", reason="rouge-score is a dev extra")
rouge = pytest.importorskip("rouge", reason="rouge is a dev extra")

ALL_TYPES = [*(f"rouge{n}" for n in range(1, 10)), "rougeL", "rougeLsum"]
THREE = ["rouge1", "rouge2", "rougeL"]
Pairs = list[tuple[str, str]]
ODD_PROFILES: list[tuple[str, dict[str, object]]] = [("rouge101", {}), ("leaderboard", {"cache_dir": "off"})]


def awkward_pairs() -> Pairs:
    texts = AWKWARD + made_up()
    rng = random.Random(3)
    return [(a, b) for a in AWKWARD for b in AWKWARD] + [
        (rng.choice(texts), rng.choice(texts)) for _ in range(3000)
    ]


def committed_pairs() -> Pairs:
    texts = daily_talk_summaries()
    if not texts:
        pytest.skip("competitions/daily_talk/data holds no summaries yet")
    return spliced(texts, 6000)


def real_pairs() -> Pairs:
    texts = real_summaries()
    if not texts:
        pytest.skip("the real data is not on this machine (looked in ../shared/data)")
    return spliced(texts, 12000)


SOURCES = pytest.mark.parametrize(
    "source", [awkward_pairs, committed_pairs, pytest.param(real_pairs, marks=pytest.mark.slow)]
)


@pytest.fixture(params=["python", "compiled"])
def chosen_engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    compiled = request.param == "compiled"
    monkeypatch.setattr("common.rouge.counting.use_compiled", lambda characters: compiled)
    return str(request.param)


def corpus_f(pairs: Pairs, profile: str, **options: object) -> np.ndarray:
    scores = corpus([p for _, p in pairs], [[t] for t, _ in pairs], profile, **options)  # type: ignore[arg-type]
    return np.stack([scores.per_example[key] for key in METRICS], axis=1)


def package_f(scorer: object, pairs: Pairs) -> np.ndarray:
    """F from a scorer with korouge-score's interface, blank predictions 0 as ``corpus`` has them."""
    rows = []
    for target, prediction in pairs:
        scores = scorer.score(target, prediction)  # type: ignore[attr-defined]
        rows.append([scores[key].fmeasure if prediction.strip() else 0.0 for key in THREE])
    return np.array(rows)


@SOURCES
def test_corpus_equals_korouge(source, monkeypatch):
    pairs = source()
    wanted = package_f(korouge_scorer.RougeScorer(THREE), pairs)
    for compiled in (False, True):
        monkeypatch.setattr("common.rouge.counting.use_compiled", lambda characters, on=compiled: on)
        assert np.abs(corpus_f(pairs, "korouge") - wanted).max() == 0.0


@SOURCES
def test_corpus_and_rouge101_equal_the_rouge_package(source, monkeypatch):
    pairs = source()
    package, ours = rouge.Rouge(), Rouge101()
    wanted = []
    for target, prediction in pairs:
        try:
            score = package.get_scores(prediction, target)[0]
        except (ValueError, RecursionError):
            score = {name: dict.fromkeys("rpf", 0.0) for name in ("rouge-1", "rouge-2", "rouge-l")}
        assert ours.get_scores(prediction, target)[0] == score
        blank = not prediction.strip()
        wanted.append([0.0 if blank else score[name]["f"] for name in ("rouge-1", "rouge-2", "rouge-l")])
    for compiled in (False, True):
        monkeypatch.setattr("common.rouge.counting.use_compiled", lambda characters, on=compiled: on)
        assert np.abs(corpus_f(pairs, "rouge101") - np.array(wanted)).max() == 0.0


@pytest.mark.parametrize("odd", ["\x00", "\x01", "\x09", "\x0a", "\x0b", "\x0c", "\uffff"])
def test_characters_the_kernels_use_themselves(odd, monkeypatch):
    texts = [f"가{odd}나 다 라{odd}", f"{odd}가 나 다.", f"{odd}", "가 나 다 라", f"가 나.{odd} 다"]
    pairs = [(a, b) for a in texts for b in texts]
    monkeypatch.setattr("common.rouge.counting.use_compiled", lambda characters: True)
    assert (corpus_f(pairs, "korouge") == package_f(korouge_scorer.RougeScorer(THREE), pairs)).all()
    compiled = {profile: corpus_f(pairs, profile, **options) for profile, options in ODD_PROFILES}
    monkeypatch.setattr("common.rouge.counting.use_compiled", lambda characters: False)
    for profile, options in ODD_PROFILES:
        assert (corpus_f(pairs, profile, **options) == compiled[profile]).all()


@SOURCES
@pytest.mark.parametrize("use_stemmer", [False, True])
def test_scorer_equals_korouge_in_every_type(source, use_stemmer):
    pairs = source()[:2500]
    package = korouge_scorer.RougeScorer(ALL_TYPES, use_stemmer=use_stemmer)
    ours = RougeScorer(ALL_TYPES, use_stemmer=use_stemmer)
    for target, prediction in pairs:
        wanted, got = package.score(target, prediction), ours.score(target, prediction)
        assert {key: tuple(got[key]) for key in ALL_TYPES} == {key: tuple(wanted[key]) for key in ALL_TYPES}


def test_scorer_with_many_targets_equals_korouge():
    texts = AWKWARD + made_up()
    rng = random.Random(5)
    package, ours = korouge_scorer.RougeScorer(ALL_TYPES), RougeScorer(ALL_TYPES)
    for _ in range(400):
        targets, prediction = rng.choices(texts, k=rng.randint(1, 4)), rng.choice(texts)
        wanted, got = package.score_multi(targets, prediction), ours.score_multi(targets, prediction)
        assert {key: tuple(value) for key, value in got.items()} == {k: tuple(v) for k, v in wanted.items()}


def test_corpus_with_many_references_takes_the_best_as_korouge_does(chosen_engine):
    texts = [text for text in AWKWARD + made_up() if text.strip()]
    rng = random.Random(6)
    predictions = rng.choices(texts, k=800)
    references = [rng.choices(texts, k=rng.randint(1, 4)) for _ in predictions]
    package = korouge_scorer.RougeScorer(THREE)
    scores = corpus(predictions, references, "korouge")
    for k, (prediction, targets) in enumerate(zip(predictions, references, strict=True)):
        wanted = package.score_multi(targets, prediction)
        assert [scores.per_example[key][k] for key in THREE] == [wanted[key].fmeasure for key in THREE]


@pytest.mark.parametrize("use_stemmer", [False, True])
def test_google_equals_rouge_score(use_stemmer, chosen_engine):
    plain = [t for t in AWKWARD + made_up() if not any("\u1100" <= c <= "\ud7a3" for c in t)]
    pairs = [(a, b) for a in plain for b in plain][:3000] + spliced(english_summaries() or plain, 2000)
    wanted = 100.0 * package_f(google_scorer.RougeScorer(THREE, use_stemmer=use_stemmer), pairs)
    assert np.abs(corpus_f(pairs, "google", use_stemmer=use_stemmer) - wanted).max() == 0.0


@pytest.mark.parametrize("length", [63, 64, 65, 128, 700, 3000])
def test_long_texts(length, chosen_engine):
    rng = random.Random(length)
    words = [f"낱말{n}" for n in range(length // 3)] + ["은", "는", "."]
    pairs = [
        (" ".join(rng.choices(words, k=length)), " ".join(rng.choices(words, k=length))) for _ in range(2)
    ]
    pairs.append((pairs[0][0], "은 " * length))
    pairs.append(("은 " * length, "은 " * (length - 1) + "는"))
    got = corpus_f(pairs, "korouge")
    if length <= 700:
        assert np.abs(got - package_f(korouge_scorer.RougeScorer(THREE), pairs)).max() == 0.0
    else:  # the package needs a minute for these: its LCS length is checked by numpy's own dynamic programme
        for k, (target, prediction) in enumerate(pairs):
            lcs = lcs_by_rows(target.lower().split(), prediction.lower().split())
            sizes = (
                len(RougeScorer(["rougeL"])._tokenizer.tokenize(target)),
                len(prediction.split()) + prediction.endswith(" "),
            )
            lcs += target.endswith(" ") and prediction.endswith(" ")
            p, r = lcs / sizes[1], lcs / sizes[0]
            assert got[k, 2] == 2 * p * r / (p + r)


def lcs_by_rows(a: list[str], b: list[str]) -> int:
    number: dict[str, int] = {}
    x, y = (np.array([number.setdefault(word, len(number)) for word in side]) for side in (a, b))
    row = np.zeros(len(y) + 1, dtype=np.int64)
    for token in x:
        grown = np.where(y == token, row[:-1] + 1, row[1:])
        row[1:] = np.maximum.accumulate(grown)
    return int(row[-1])


def test_rouge101_needs_no_recursion():
    rng = random.Random(1)
    a, b = (" ".join(rng.choices("가나다라마바사", k=1500)) for _ in range(2))
    with pytest.raises(RecursionError):
        rouge.Rouge().get_scores(a, b)
    for compiled in (False, True):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("common.rouge.counting.use_compiled", lambda characters, on=compiled: on)
            assert (
                corpus([a], [[b]], "rouge101").per_example["rougeL"][0]
                == Rouge101().get_scores(a, b)[0]["rouge-l"]["f"]
            )


TEXT = st.text(
    alphabet=st.one_of(
        st.sampled_from("가나다 .\n\tAaΣσİ\u00a0\u3000ㄱ韓😀\u1100\u1161#1"),
        st.characters(exclude_categories=()),
    ),
    max_size=80,
)


@settings(max_examples=300)
@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=40))
def test_any_text_at_all(pairs):
    """Hypothesis: thousands of pairs of arbitrary Unicode, lone surrogates included, on both engines."""
    package = korouge_scorer.RougeScorer(ALL_TYPES)
    ours = RougeScorer(ALL_TYPES)
    for target, prediction in pairs:
        wanted, got = package.score(target, prediction), ours.score(target, prediction)
        assert {key: tuple(got[key]) for key in ALL_TYPES} == {key: tuple(wanted[key]) for key in ALL_TYPES}
    by_korouge = package_f(package, pairs)
    rouge101 = Rouge101()
    by_rouge101 = [
        [0.0 if not p.strip() else s[name]["f"] for name in ("rouge-1", "rouge-2", "rouge-l")]
        for s, (_, p) in zip(
            rouge101.get_scores([p for _, p in pairs], [t for t, _ in pairs]), pairs, strict=True
        )
    ]
    for compiled in (False, True):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("common.rouge.counting.use_compiled", lambda characters, on=compiled: on)
            assert np.array_equal(corpus_f(pairs, "korouge"), by_korouge)
            assert np.array_equal(corpus_f(pairs, "rouge101"), np.array(by_rouge101))


@settings(max_examples=300)
@given(TEXT, TEXT)
def test_any_text_against_the_rouge_package(target, prediction):
    try:
        wanted = rouge.Rouge().get_scores(prediction, target)[0]
    except ValueError:
        wanted = {name: dict.fromkeys("rpf", 0.0) for name in ("rouge-1", "rouge-2", "rouge-l")}
    assert Rouge101().get_scores(prediction, target)[0] == wanted


@pytest.mark.parametrize("profile", ["korouge", "rouge101", "leaderboard"])
def test_pairwise_equals_corpus_cell_by_cell(profile, chosen_engine, monkeypatch, tmp_path):
    monkeypatch.setattr("common.rouge.matrices.CELLS", 50)  # so that dialogues fall into several chunks
    rng = random.Random(2)
    texts = AWKWARD + made_up(60)
    candidates = [rng.choices(texts, k=n) for n in (8, 1, 0, 3, 5, 0)]
    matrices = pairwise(candidates, profile, cache_dir=tmp_path)
    assert [m["rouge1"].shape for m in matrices] == [(8, 8), (1, 1), (0, 0), (3, 3), (5, 5), (0, 0)]
    for group, found in zip(candidates, matrices, strict=True):
        for i, hypothesis in enumerate(group):
            for j, reference in enumerate(group):
                wanted = corpus([hypothesis], [[reference]], profile, cache_dir=tmp_path)
                for key, matrix in found.items():
                    value = wanted.per_example[key][0] if reference.strip() else 0.0
                    assert matrix[i, j] == value


@pytest.mark.parametrize("profile", ["korouge", "rouge101", "leaderboard"])
def test_cross_equals_corpus_cell_by_cell(profile, chosen_engine, tmp_path):
    rng = random.Random(3)
    texts = AWKWARD + made_up(60)
    candidates = [rng.choices(texts, k=n) for n in (6, 1, 0, 3)]
    references = [rng.choices(texts, k=n) for n in (4, 2, 3, 0)]
    matrices = cross(candidates, references, profile, cache_dir=tmp_path)
    assert [matrix.shape for matrix in matrices] == [(6, 4), (1, 2), (0, 3), (3, 0)]
    for mine, theirs, found in zip(candidates, references, matrices, strict=True):
        for i, hypothesis in enumerate(mine):
            for j, reference in enumerate(theirs):
                wanted = corpus([hypothesis], [[reference]], profile, cache_dir=tmp_path)
                assert found[i, j] == (wanted.headline if reference.strip() else 0.0)


def test_average_equals_the_rouge_package():
    pairs = [
        (t, p)
        for t, p in spliced(daily_talk_summaries() or made_up(), 300)
        if t.strip(" .") and p.strip(" .")
    ]
    hyps, refs = [p for _, p in pairs], [t for t, _ in pairs]
    assert Rouge101().get_scores(hyps, refs, avg=True) == rouge.Rouge().get_scores(hyps, refs, avg=True)


def test_bootstrap_aggregator_equals_korouge():
    scorer = RougeScorer(THREE)
    scores = [scorer.score(t, p) for t, p in spliced(made_up(), 60)]
    package, ours = (
        korouge_scoring.BootstrapAggregator(),
        BootstrapAggregator(generator=np.random.RandomState(5)),
    )
    for score in scores:
        package.add_scores(score)
        ours.add_scores(score)
    state = np.random.get_state()
    np.random.seed(5)
    try:
        wanted = package.aggregate()
    finally:
        np.random.set_state(state)
    got = ours.aggregate()
    assert {k: [tuple(x) for x in v] for k, v in got.items()} == {
        k: [tuple(x) for x in v] for k, v in wanted.items()
    }


def test_porter_stemmer_equals_nltk():
    nltk_porter = pytest.importorskip("nltk.stem.porter", reason="nltk comes with the dev extra")
    stemmer = nltk_porter.PorterStemmer()
    rng = random.Random(1)
    endings = [
        "ational", "tional", "enci", "anci", "izer", "bli", "alli", "entli", "eli", "ousli", "ization", "ation", "ator",
        "alism", "iveness", "fulness", "ousness", "aliti", "iviti", "biliti", "fulli", "logi", "icate", "ative", "alize",
        "iciti", "ical", "ful", "ness", "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent",
        "ion", "ou", "ism", "ate", "iti", "ous", "ive", "ize", "ies", "ied", "sses", "ss", "s", "eed", "ed", "ing", "y",
        "e", "ll", "at", "bl", "iz", "tt", "",
    ]  # fmt: skip
    words = {word for text in english_summaries() for word in text.lower().split()} | set(porter._IRREGULAR)
    for _ in range(15000):
        words.add(
            "".join(rng.choices("aeioubcdlstyyxwz", k=rng.randint(0, 5)))
            + rng.choice(endings)
            + rng.choice(endings)
        )
    words |= {"가나다s", "먹ing", "İng", "yyyy", "", "a", "ing", "ion"}
    assert [word for word in sorted(words) if stemmer.stem(word) != porter_stem(word)] == []


def test_no_whitespace_beyond_what_the_kernels_tables_cover():
    assert not any(chr(c).isspace() for c in range(0x10000, 0x110000))
