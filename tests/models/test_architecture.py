"""The architecture of a model is named, and its own code is never run."""

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import BertConfig

from common.core.errors import UserError
from common.models import architecture
from common.models.architecture import require_architecture
from tests.support import tiny
from tests.support.hub_server import Original, written


def test_the_architecture_is_named_and_held(original: Original, here: Path) -> None:
    bart = written(here / "bart", original.bare)
    assert architecture.architecture(bart) == "seq2seq"
    require_architecture(bart, "seq2seq")
    with pytest.raises(
        UserError, match="bart: bart is an encoder-decoder and cannot be used here; wanted a decoder"
    ):
        require_architecture(bart, "causal")
    words = tiny.tokenizer()
    qwen = here / "qwen"
    tiny.model("qwen2", words).config.save_pretrained(qwen)
    assert architecture.architecture(qwen) == "causal"
    with pytest.raises(UserError, match="qwen2 is a decoder-only language model"):
        require_architecture(qwen, "seq2seq")


CONFIGS: dict[str, tuple[dict[str, Any], str]] = {
    "own code": (
        {"model_type": "own", "auto_map": {"AutoConfig": "configuration_own.OwnConfig"}},
        "model_type 'own' is not known to transformers .* has custom code .auto_map., which is never run",
    ),
    "unknown": ({"model_type": "own"}, "model_type 'own' is not known to transformers"),
    "none": ({}, "model_type None is not known"),
    "masked": (
        {**BertConfig().to_dict(), "architectures": ["BertForMaskedLM"]},
        "BertForMaskedLM cannot generate text",
    ),
    "no text": ({"model_type": "vit"}, "vit cannot generate text"),
    "images and text": (
        {"model_type": "mistral3", "architectures": ["Mistral3ForConditionalGeneration"]},
        r"mistral3 is a model of images and text, .* cannot load its language model alone\. Choose another --model",
    ),
    "bad value": ({"model_type": "bart", "d_model": "wide"}, "transformers .* cannot read it"),
}


@pytest.mark.parametrize("case", CONFIGS)
def test_a_model_that_cannot_be_used_is_refused_without_running_its_code(here: Path, case: str) -> None:
    config, message = CONFIGS[case]
    code = b"from pathlib import Path\nPath('sprung').touch()\nclass OwnConfig: pass\n"
    folder = written(here / "m", {"config.json": json.dumps(config).encode(), "configuration_own.py": code})
    with pytest.raises(UserError, match=message) as refusal:
        architecture.architecture(folder)
    assert "\n" not in str(refusal.value)
    assert not (here / "sprung").exists()
