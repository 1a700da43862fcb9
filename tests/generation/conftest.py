"""Models taught a little, shared by the tests of decoding."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel

from common.models.adapters import add_lora
from common.models.config import LoRAConfig
from common.models.pretrained import load_pretrained, set_language
from common.tokenization import examples
from common.tokenization.batches import collate_causal, collate_seq2seq
from common.tokenization.config import LengthConfig
from common.training.losses import cross_entropy
from tests.support import decoding, tiny
from tests.support.engines import MBART, WORDS, saved, taught, template_of


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the taught models and of what engines convert them into."""
    return tmp_path_factory.mktemp("engines")


@pytest.fixture(scope="module")
def place(folder: Path) -> Iterator[Path]:
    """`folder` as the repository root, so that conversions are cached there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDS_ROOT", str(folder))
        yield folder


@pytest.fixture(scope="session")
def bart(folder: Path) -> Path:
    model = tiny.model("bart", WORDS)
    return saved(taught(model, WORDS, template_of(model, WORDS)), WORDS, folder / "bart")


@pytest.fixture(scope="session")
def mbart(folder: Path) -> Path:
    """A tiny mBART that begins its summaries with ko_KR."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDS_ROOT", str(folder))
        model, words = load_pretrained(MBART, frozen=False)
    set_language(model, words, "ko_KR")
    return saved(taught(model, words, template_of(model, words, "ko_KR"), 40), words, folder / "mbart")


@pytest.fixture(scope="session")
def adapted(folder: Path) -> Path:
    """Adapters on a random mBART."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDS_ROOT", str(folder))
        model, words = load_pretrained(MBART, frozen=True)
        torch.manual_seed(0)
        model = add_lora(model, words, LoRAConfig(rank=16, alpha=64, dropout=0.0, targets=("all",)))
        model = taught(model, words, template_of(model, words, "ko_KR"), 40)
        return saved(model, words, folder / "adapted", MBART)


@pytest.fixture(scope="session")
def qwen2(folder: Path) -> Path:
    model = tiny.model("qwen2", WORDS)
    return saved(taught(model, WORDS, template_of(model, WORDS)), WORDS, folder / "qwen2")


@pytest.fixture(scope="session")
def taught_models() -> dict[str, PreTrainedModel]:
    """Models that learned a little: they end their summaries, at different lengths. In float64, so that no two
    tokens tie by rounding."""
    found = {}
    for kind in decoding.KINDS:
        rows = tiny.rows(24)
        sources = examples.sources(rows, decoding.WORDS, LengthConfig(120), decoding.TEMPLATES[kind])
        batch = [
            tiny.example(sources[r.id], [*decoding.WORDS.encode(r.summaries[0]), decoding.EOS]) for r in rows
        ]
        collate = collate_seq2seq if kind == "bart" else collate_causal
        tensors = collate(batch, pad=decoding.PAD)
        model = tiny.model(kind, decoding.WORDS)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        for _ in range(25):
            optimizer.zero_grad()
            (cross_entropy(model, tensors, 0.1) / 300).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        found[kind] = model.double().eval()
    return found
