"""The loss is torch's own; padding and the rest of the batch do not change it."""

import datasets
import pytest
import torch
from torch.nn import functional

from common.tokenization.batches import IGNORE
from common.training.losses import cross_entropy
from tests.support import tiny
from tests.support.fitting import COLLATE, KINDS, WORDS, batch_of

pytestmark = pytest.mark.usefixtures("fresh_precision")


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.6])
@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_torchs_own_on_the_full_logits(
    examples: datasets.Dataset, kind: str, smoothing: float
) -> None:
    model = tiny.model(kind, WORDS).double().eval()
    batch = batch_of(examples, kind, 5)
    some = examples[:5]
    with torch.no_grad():
        if kind == "bart":
            logits, labels = model(**batch).logits, batch["labels"]
        else:
            full = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
            labels = torch.full(batch["input_ids"].shape, IGNORE)
            for row, (source, target) in enumerate(zip(some["source"], some["target"], strict=True)):
                labels[row, len(source) : len(source) + len(target)] = torch.tensor(target)
            logits, labels = full[:, :-1], labels[:, 1:]
        ours = float(cross_entropy(model, batch, smoothing))
        assert (labels != IGNORE).sum() == sum(map(len, some["target"]))
        chosen, wanted = logits[labels != IGNORE].float(), labels[labels != IGNORE]
        torchs = torch.nn.CrossEntropyLoss(label_smoothing=smoothing, reduction="sum")(chosen, wanted)
        by_hand = functional.log_softmax(chosen.double(), dim=-1)
        nll = -by_hand[range(len(wanted)), wanted].sum()
        uniform = -by_hand.mean(dim=-1).sum()
    assert ours == pytest.approx(float(torchs), rel=1e-5)
    assert ours == pytest.approx(float((1 - smoothing) * nll + smoothing * uniform), rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_padding_and_company_do_not_change_a_rows_loss(examples: datasets.Dataset, kind: str) -> None:
    model = tiny.model(kind, WORDS).double().eval()
    some = examples[:6]
    rows = [tiny.example(s, t) for s, t in zip(some["source"], some["target"], strict=True)]
    assert len({len(row["source"]) for row in rows}) > 1
    with torch.no_grad():
        alone = sum(
            float(cross_entropy(model, COLLATE[kind]([row], pad=WORDS.pad_token_id), 0.1)) for row in rows
        )
        together = float(cross_entropy(model, COLLATE[kind](rows, pad=WORDS.pad_token_id), 0.1))
    assert together == pytest.approx(alone, rel=1e-5)
