"""Learning from the scores of own summaries: rows of several summaries, their loss and what of them is learnt from."""

import math
import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import house as houses
import numpy as np
import pytest
import tiny
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedModel

from common import checkpoints, runs, scoring, tokenization
from common.candidates import Candidate, read, write
from common.competition import Competition, load
from common.errors import UserError
from common.files import write_json
from common.rows import Row
from common.training import cross_entropy, reward
from common.training.reward import RewardConfig, policy_gradient

KINDS = ("qwen2", "gemma3")
NAN = float("nan")


pytestmark = pytest.mark.usefixtures("model_cache")


def example(source: int, lengths: list[int], weights: list[float], seed: int = 0) -> dict[str, Any]:
    rng = torch.Generator().manual_seed(seed + source)
    ids = torch.randint(5, 200, (source + sum(lengths),), generator=rng).tolist()
    return {
        "source": ids[:source],
        "target": ids[source:],
        "lengths": lengths,
        "weights": weights,
        "logprobs": [NAN] * len(lengths),
    }


EXAMPLES = [
    example(30, [5, 10, 3], [1.0, -0.5, 0.3]),
    example(90, [7], [0.7]),  # farther back than Gemma's window
    example(2, [4, 1], [-0.25, 0.5]),
]


def apart(examples: list[dict[str, Any]]) -> Iterator[tuple[float, dict[str, torch.Tensor]]]:
    """Each summary behind its source alone, with its weight."""
    for one in examples:
        start = 0
        for length, weight in zip(one["lengths"], one["weights"], strict=True):
            target = one["target"][start : start + length]
            start += length
            yield weight, tokenization.collate_causal([{"source": one["source"], "target": target}], 0)


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_that_of_every_summary_alone(kind: str) -> None:
    model = tiny.loud(kind)
    if kind == "gemma3":
        assert model.config.sliding_window < 90 and "sliding_attention" in model.config.layer_types
    found = policy_gradient(model, reward.collate(EXAMPLES, 0), 0.0)
    wanted = sum(weight * cross_entropy(model, batch, 0.0) for weight, batch in apart(EXAMPLES))
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
    parameters = [p for name, p in model.named_parameters() if "layers" in name]
    for one, other in zip(*(torch.autograd.grad(loss, parameters) for loss in (found, wanted)), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_over_few_words_too() -> None:
    model = tiny.loud("qwen2")
    words = torch.tensor(sorted({token for one in EXAMPLES for token in one["target"]}))
    found = policy_gradient(model, reward.collate(EXAMPLES, 0), 0.0, words)
    wanted = sum(weight * cross_entropy(model, batch, 0.0, words) for weight, batch in apart(EXAMPLES))
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match="smoothing"):
        policy_gradient(model, reward.collate(EXAMPLES, 0), 0.1, words)


def test_no_summary_sees_another_nor_what_follows() -> None:
    batch = reward.collate([example(3, [2, 2], [1.0, 1.0])], 0)
    assert batch["segments"].tolist() == [[0, 0, 1, 1, 2, 2, -1, -1]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 3, 2, 3, 0, 0]]
    seen = reward.visible(batch["segments"], batch["position_ids"], None)[0, 0].int().tolist()
    assert seen == [
        [1, 0, 0, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0, 0, 0],
        [1, 1, 1, 1, 0, 0, 0, 0],
        [1, 1, 0, 0, 1, 0, 0, 0],
        [1, 1, 0, 0, 1, 1, 0, 0],
        [1, 1, 0, 0, 0, 0, 1, 0],
        [1, 1, 0, 0, 0, 0, 1, 1],
    ]
    windowed = reward.visible(batch["segments"], batch["position_ids"], 2)[0, 0].int().tolist()
    assert windowed[3] == [0, 0, 1, 1, 0, 0, 0, 0]
    assert windowed[4] == [0, 1, 0, 0, 1, 0, 0, 0]  # position 2 sees position 1, far away in the row


def logprob(model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> float:
    return -float(cross_entropy(model, batch, 0.0).detach())


@pytest.mark.parametrize(
    ("weight", "change", "counts"),
    [(1.0, 0.4, True), (1.0, 0.6, False), (1.0, -0.6, True), (-1.0, -0.4, True), (-1.0, -0.6, False), (-1.0, 0.6, True)],
)  # fmt: skip
def test_a_summary_that_became_far_likelier_or_unlikelier_counts_no_more(
    weight: float, change: float, counts: bool
) -> None:
    """Its row's others and the other row, which has more, count as ever."""
    model = tiny.loud("qwen2")
    rows = [example(9, [2, 3, 4], [0.5, -0.5, 0.3]), example(20, [6, 4], [weight, 0.3])]
    alone = [(w, logprob(model, batch)) for w, batch in apart(rows)]
    before = alone[3][1] - 6 * math.log1p(change)
    rows[1]["logprobs"] = [before, NAN]
    found = policy_gradient(model, reward.collate(rows, 0), 0.0, clip=0.5)
    wanted = -sum(w * value for place, (w, value) in enumerate(alone) if counts or place != 3)
    assert float(found.detach()) == pytest.approx(wanted, rel=1e-5)


def test_what_cannot_learn_so_is_refused_before_any_summary_is_drawn() -> None:
    model = tiny.loud("qwen2")
    reward.require_possible(model, 0.0)
    with pytest.raises(UserError, match=r"--label-smoothing 0\.1 .* Leave it at 0"):
        reward.require_possible(model, 0.1)
    for attention in (
        "flash_attention_2",
        "eager",
    ):  # the one takes no such mask, the other would add True to scores
        model.config._attn_implementation = attention
        with pytest.raises(UserError, match=f"{attention} .* use --attention sdpa"):
            reward.require_possible(model, 0.0)
    with pytest.raises(UserError, match="BartForConditionalGeneration has an encoder"):
        reward.require_possible(tiny.loud("bart"), 0.0)
    recurrent = tiny.loud("gemma3")
    recurrent.config.layer_types = ["linear_attention", "full_attention"]
    with pytest.raises(UserError, match="has full_attention and linear_attention"):
        reward.require_possible(recurrent, 0.0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"dialogues": -1}, "--dialogues -1: wanted 0"), ({"drawn": 0}, "--drawn 0: wanted 1"),
     ({"agreement": 1.5}, "--agreement 1.5: wanted 0 to 1"),
     ({"drawn_temperature": 0.0}, "--drawn-temperature 0.0: wanted more"), ({"kept": 3}, "--kept 3: wanted an even"),
     ({"kept": 0}, "--kept 0: wanted an even"), ({"worse_weight": -0.5}, "--worse-weight -0.5: wanted 0"),
     ({"reference_weight": 0.0}, "--reference-weight 0.0: wanted more"), ({"clip": 0.0}, "--clip 0.0: wanted more")],
)  # fmt: skip
def test_settings_that_teach_nothing_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        replace(RewardConfig(), **changes)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=12))
def test_advantages(scores: list[float]) -> None:
    found = reward.advantages(np.array(scores))
    assert np.abs(found).max() <= reward.MOST
    order = np.argsort(scores)
    assert (np.diff(found[order]) >= 0).all()
    if np.abs(found).max() < reward.MOST:
        assert abs(found.mean()) < 1e-9 and found.std() < 1 + 1e-9
    assert np.allclose(reward.advantages(np.array(scores[:1])), 0)


def test_differences_of_a_point_weigh_little() -> None:
    found = reward.advantages(np.array([40.0, 40.5]))
    assert found.tolist() == [-0.125, 0.125]


TOKENIZER = tiny.tokenizer()
ROW = Row("train_0", "#Person1#: 우산 어디서 살까요?", ("시장에서 우산을 산다.",), "")
TEXTS = ("가", "나", "다", "라", "마", "가")
SCORES = [50.0, 20.0, 40.0, 10.0, 30.0, 50.0]


def candidate(text: str, **changes: Any) -> Candidate:
    tokens = len(TOKENIZER.encode(text, add_special_tokens=False)) + 1
    return replace(Candidate(text, -3.0, tokens), **changes)


def made(drawn: list[Candidate], scores: list[float], **changes: Any) -> dict[str, Any]:
    config = replace(RewardConfig(), **changes)
    sources = {ROW.id: [5, 6, 7]}
    (found,) = reward.examples([ROW], sources, {ROW.id: drawn}, {ROW.id: scores}, TOKENIZER, config, 30)
    return dict(found)


def texts_of(found: dict[str, Any]) -> list[str]:
    starts = np.cumsum([0, *found["lengths"]]).tolist()
    parts = [found["target"][a:b] for a, b in pairwise(starts)]
    assert all(part[-1] == TOKENIZER.eos_token_id for part in parts)
    return [TOKENIZER.decode(part[:-1]) for part in parts]


def test_best_and_worst_are_kept_each_text_once_and_the_reference() -> None:
    found = made([candidate(text) for text in TEXTS], SCORES)
    assert texts_of(found) == ["가", "다", "나", "라", ROW.summaries[0]]
    spread = math.sqrt(200)  # of 50, 40, 30, 20, 10
    wanted = [20 / spread / 4, 10 / spread / 4, -10 / spread / 4 * 0.3, -20 / spread / 4 * 0.3, 0.3]
    assert found["weights"] == pytest.approx(wanted, abs=1e-6)
    assert found["logprobs"][:4] == [-3.0] * 4 and math.isnan(found["logprobs"][4])
    few = made([candidate(text) for text in TEXTS], SCORES, kept=2, worse_weight=0.0, reference_weight=1.0)
    assert texts_of(few) == ["가", "라", ROW.summaries[0]]
    assert few["weights"] == pytest.approx([20 / spread / 2, 0.0, 1.0], abs=1e-6)


def test_middling_summaries_are_left_out_and_unknown_likelihoods_are_nan() -> None:
    drawn = [candidate("가"), candidate("나", tokens=9), candidate("다", logprob=None)]
    found = made(drawn, [60.0, 41.0, 20.0])
    assert texts_of(found) == ["가", "다", ROW.summaries[0]]
    assert [math.isnan(value) for value in found["logprobs"]] == [False, True, True]
    found = made(drawn, [60.0, 20.0, 41.0])
    assert texts_of(found) == ["가", "나", ROW.summaries[0]]
    assert [math.isnan(value) for value in found["logprobs"]] == [False, True, True]


def test_a_summary_that_was_cut_off_does_not_end() -> None:
    drawn = [candidate("가"), candidate("나다라마바사", tokens=30)]
    found = made(drawn, [60.0, 20.0])
    assert found["target"].count(TOKENIZER.eos_token_id) == 2  # the good one's and the reference's
    assert found["lengths"][1] == len(TOKENIZER.encode("나다라마바사", add_special_tokens=False))


def test_where_all_are_alike_there_is_nothing_to_learn() -> None:
    with pytest.raises(UserError, match=r"nothing to learn\. Sample them with a higher --drawn-temperature"):
        made([candidate(text) for text in TEXTS], [30.0] * 6)


def test_scores_are_the_dev_profile_of_every_summary(competition: Competition) -> None:
    rows = tiny.rows(5)
    drawn = {
        row.id: [candidate(row.summaries[0]), candidate(rows[0].summaries[0]), candidate("")] for row in rows
    }
    found = reward.scores(rows, drawn, competition)
    assert list(found) == [row.id for row in rows]
    for row in rows:
        alone = [
            scoring.score({row.id: one.text}, {row.id: row.summaries}, competition.dev_profile).headline
            for one in drawn[row.id]
        ]
        assert found[row.id] == pytest.approx(alone)
    for agreement in (0.0, 0.25, 1.0):
        worth = reward.rewards(found, drawn, competition, agreement)
        for row in rows:
            texts = [one.text for one in drawn[row.id]]
            for place, own in enumerate(texts):
                others = texts[:place] + texts[place + 1 :]
                against = [
                    scoring.score({"a": own}, {"a": (other,)}, competition.dev_profile).headline
                    if other
                    else 0.0
                    for other in others
                ]
                wanted = (1 - agreement) * found[row.id][place] + agreement * float(np.mean(against))
                assert worth[row.id][place] == pytest.approx(wanted)
    assert reward.rewards({"a": [7.0]}, {"a": drawn[rows[0].id][:1]}, competition, 0.5) == {"a": [3.5]}
    assert reward.summary({"a": [1.0, 3.0], "b": [2.0, 0.0]}) == {"greedy": 1.5, "mean": 1.5, "best": 2.5}
    with pytest.raises(UserError, match="'bare' has no reference summary"):
        reward.scores([Row("bare", "말", (), "")], {"bare": [candidate("가")]}, competition)


@pytest.fixture
def competition() -> Competition:
    return load("daily_talk")


def test_what_is_rewarded_becomes_likelier() -> None:
    """Against its alternative, by a few steps of the loss."""
    model = tiny.loud("gemma3").train()
    one = example(20, [6, 6], [0.5, -0.25])
    (_, good), (_, bad) = apart([one])
    before = logprob(model, good) - logprob(model, bad)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(5):
        optimizer.zero_grad()
        policy_gradient(model, reward.collate([one], 0), 0.0).backward()
        optimizer.step()
    assert logprob(model, good) - logprob(model, bad) > before + 1


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.repository(tmp_path_factory.mktemp("copy") / "repository", train_rows=24, other_rows=4)


# In 32 bits like the other trainings of this process: accelerate has one precision for good.
SHORT = ["--competition=daily_talk", "--model=tiny:gemma3", "--max-new-tokens=8", "--drawn=3", "--dialogues=10",
         "--dev-rows=2", "--rank=2", "--drawn-temperature=1.5", "--tokens-per-batch=400", "--dtype=float32",
         "--checkpoint-minutes=0.00001", "--keep-checkpoints=100"]  # fmt: skip


def test_a_killed_run_goes_on_from_what_it_drew(copy: Path, caplog: pytest.LogCaptureFixture) -> None:
    def trained(*more: str) -> str:
        caplog.clear()
        with caplog.at_level("INFO"):
            houses.stage(copy, "exp013", "train", *SHORT, "--run=exp013-a", *more)
        return caplog.text

    trained()
    folder = copy / "outputs" / "daily_talk" / "exp013-a"
    path = folder / "train" / "candidates.jsonl"
    drawn, best = read(path), checkpoints.fingerprint(folder / "best")
    assert len(drawn) == 10 and all(len(found) == 4 for found in drawn.values())
    notes = runs.record(folder)["train"]["notes"]["drawn"]
    assert notes["best"] >= notes["mean"] >= 0
    record = runs.record(folder)
    record["train"]["status"] = "running"

    def killed_at(step: int) -> None:
        write_json(folder / "run.json", record)
        for made in checkpoints.steps(folder / "checkpoints"):
            if int(made.name.rsplit("-", 1)[-1]) > step:
                shutil.rmtree(made)

    killed_at(2)
    said = trained("--tokens-at-once=300")  # lower, as after an error of memory
    assert "resuming at step 2" in said
    assert read(path) == drawn and checkpoints.fingerprint(folder / "best") == best

    killed_at(2)
    with pytest.raises(SystemExit, match=r"summaries that were sampled with other settings.* restart=1"):
        trained("--max-new-tokens=7")
    assert read(path) == drawn

    first = next(iter(drawn))
    drawn[first] = [replace(drawn[first][0], text="다른 요약"), *drawn[first][1:]]
    write(path, drawn)
    killed_at(2)
    with pytest.raises(SystemExit, match=r"was made with other settings, data.* restart=1"):
        trained()
    killed_at(0)  # before the first checkpoint: what was drawn is not drawn again
    assert "resuming" not in trained()
    assert read(path) == drawn


def test_the_flagship_learns_so_too(copy: Path) -> None:
    words = ["--smoke", "--competition=daily_talk", "--own-scores", "--quantization=none", "--attention=sdpa",
             "--drawn-temperature=1.5", "--dtype=float32"]  # fmt: skip
    houses.stage(copy, "exp012", "train", *words)
    assert (copy / "outputs" / "smoke" / "daily_talk" / "exp012" / "train" / "candidates.jsonl").exists()
    for wrong, said in (
        ("--source-loss=0.2", "--own-scores has its own loss and cannot be combined"),
        ("--sharding=fsdp", "--own-scores cannot sample from a sharded model"),
    ):
        with pytest.raises(SystemExit, match=said):
            houses.stage(copy, "exp012", "train", *words, wrong)


@pytest.mark.parametrize(
    ("words", "run"), [((), "exp010"), (("--model=outputs/daily_talk/merged/exp010-z",), "exp010-z")]
)
def test_without_the_model_it_says_how_to_make_it(copy: Path, words: tuple[str, ...], run: str) -> None:
    with pytest.raises(SystemExit) as ended:
        houses.stage(
            copy, "exp013", "train", "--competition=daily_talk", f"--run=exp013-b{len(words)}", *words
        )
    assert str(ended.value) == (
        f"error: model 'outputs/daily_talk/merged/{run}' does not exist yet; train {run}, "
        f"then create it with: make merge run={run} comp=daily_talk."
    )
