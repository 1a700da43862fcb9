"""The policy-gradient loss is that of every summary alone."""

import math

import pytest
import torch

from common.core.errors import UserError
from common.training.losses import cross_entropy
from common.training.policy_gradient import collate, policy_gradient, require_possible, visible
from tests.support import tiny
from tests.support.rewarded import NAN, apart, example, logprob

KINDS = ("qwen2", "gemma3")
pytestmark = pytest.mark.usefixtures("model_cache")
EXAMPLES = [
    example(30, [5, 10, 3], [1.0, -0.5, 0.3]),
    example(90, [7], [0.7]),  # farther back than Gemma's window
    example(2, [4, 1], [-0.25, 0.5]),
]


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_that_of_every_summary_alone(kind: str) -> None:
    model = tiny.loud(kind)
    if kind == "gemma3":
        assert model.config.sliding_window < 90 and "sliding_attention" in model.config.layer_types
    found = policy_gradient(model, collate(EXAMPLES, 0), 0.0)
    wanted = sum(weight * cross_entropy(model, batch, 0.0) for weight, batch in apart(EXAMPLES))
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
    parameters = [p for name, p in model.named_parameters() if "layers" in name]
    for one, other in zip(*(torch.autograd.grad(loss, parameters) for loss in (found, wanted)), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_over_few_words_too() -> None:
    model = tiny.loud("qwen2")
    words = torch.tensor(sorted({token for one in EXAMPLES for token in one["target"]}))
    found = policy_gradient(model, collate(EXAMPLES, 0), 0.0, words)
    wanted = sum(weight * cross_entropy(model, batch, 0.0, words) for weight, batch in apart(EXAMPLES))
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match="smoothing"):
        policy_gradient(model, collate(EXAMPLES, 0), 0.1, words)


def test_no_summary_sees_another_nor_what_follows() -> None:
    batch = collate([example(3, [2, 2], [1.0, 1.0])], 0)
    assert batch["segments"].tolist() == [[0, 0, 1, 1, 2, 2, -1, -1]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 3, 2, 3, 0, 0]]
    seen = visible(batch["segments"], batch["position_ids"], None)[0, 0].int().tolist()
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
    windowed = visible(batch["segments"], batch["position_ids"], 2)[0, 0].int().tolist()
    assert windowed[3] == [0, 0, 1, 1, 0, 0, 0, 0]
    assert windowed[4] == [0, 1, 0, 0, 1, 0, 0, 0]  # position 2 sees position 1, far away in the row


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
    found = policy_gradient(model, collate(rows, 0), 0.0, clip=0.5)
    wanted = -sum(w * value for place, (w, value) in enumerate(alone) if counts or place != 3)
    assert float(found.detach()) == pytest.approx(wanted, rel=1e-5)


def test_what_cannot_learn_so_is_refused_before_any_summary_is_drawn() -> None:
    model = tiny.loud("qwen2")
    require_possible(model, 0.0)
    with pytest.raises(UserError, match=r"--label-smoothing 0\.1 .* Leave it at 0"):
        require_possible(model, 0.1)
    for attention in (
        "flash_attention_2",
        "eager",
    ):  # the one takes no such mask, the other would add True to scores
        model.config._attn_implementation = attention
        with pytest.raises(UserError, match=f"{attention} .* use --attention sdpa"):
            require_possible(model, 0.0)
    with pytest.raises(UserError, match="BartForConditionalGeneration has an encoder"):
        require_possible(tiny.loud("bart"), 0.0)
    recurrent = tiny.loud("gemma3")
    recurrent.config.layer_types = ["linear_attention", "full_attention"]
    with pytest.raises(UserError, match="has full_attention and linear_attention"):
        require_possible(recurrent, 0.0)
