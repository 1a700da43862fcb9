"""vLLM is given what it needs, or refused in one line."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import GenerationConfig

from common.core.errors import UserError
from common.generation import engines
from common.generation.config import DecodingConfig
from common.models.adapters import add_lora
from common.models.config import LoRAConfig, PretrainedConfig
from common.models.pretrained import load_pretrained
from common.models.storage import load_model, save_base
from common.models.tiny import tiny as tiny_model
from tests.support import tiny
from tests.support.engines import GREEDY, WORDS, saved

pytestmark = pytest.mark.usefixtures("place")


def vllm_of(config: DecodingConfig) -> DecodingConfig:
    return replace(config, engine="vllm")


def test_vllm_wants_a_gpu_and_its_package(qwen2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(
        UserError, match=r"^--engine vllm needs a CUDA GPU, and this machine has none; .*--engine hf"
    ):
        engines.decoder(qwen2, vllm_of(GREEDY))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(UserError, match=r"pip install -c constraints-vllm\.txt -e '\.\[train,vllm\]'"):
        engines.decoder(qwen2, vllm_of(GREEDY))


FAKE = {
    "__init__.py": '''
"""Stands for vLLM in tests: records what it is given, answers with tokens made from the seed."""
from types import SimpleNamespace
CALLS = []

class SamplingParams:
    def __init__(self, **settings):
        self.settings = settings

class LLM:
    def __init__(self, **settings):
        CALLS.append(["LLM", settings])

    def generate(self, prompts, sampling_params=None, *, use_tqdm=True, lora_request=None):
        assert len(prompts) == len(sampling_params)
        assert not use_tqdm
        CALLS.append(["generate", prompts, [p.settings for p in sampling_params], lora_request and vars(lora_request)])
        return [SimpleNamespace(outputs=[self._output(p.settings, i) for i in range(p.settings["n"])])
                for p in sampling_params]

    def _output(self, settings, index):
        ids = [5 + (settings["seed"] + index) % 7, 20 + index, settings["stop_token_ids"][0]]
        # The second sample's tokens are likelier; the other token stands for the best one, which may be reported too.
        steps = [{token: SimpleNamespace(logprob=-1.0 / (1 + index)), 9999: SimpleNamespace(logprob=0.0)}
                 for token in ids]
        return SimpleNamespace(token_ids=tuple(ids), logprobs=steps)
''',
    "inputs.py": "class TokensPrompt(dict):\n    pass\n",
    "lora/__init__.py": "",
    "lora/request.py": """
class LoRARequest:
    def __init__(self, lora_name, lora_int_id, lora_path):
        self.name, self.id, self.path = lora_name, lora_int_id, lora_path
""",
}
DRIVER = """
import json, sys
from dataclasses import asdict
from pathlib import Path
import torch
import vllm
import common.models.storage
from common.core.errors import UserError
from common.generation.config import DecodingConfig
from common.generation.engines import decoder
torch.cuda.is_available = lambda: True  # once everything is imported

def answer(folder, sources, settings):
    vllm.CALLS.clear()
    config = DecodingConfig(engine="vllm", **settings)
    try:
        run, _ = decoder(Path(folder), config)
        found = run(sources, config, 2**63 - 1)
    except UserError as error:
        return {"error": str(error)}
    return {"calls": list(vllm.CALLS), "found": [[asdict(c) for c in group] for group in found]}

print(json.dumps({name: answer(*case) for name, case in json.loads(sys.argv[1]).items()}))
"""
ONE = {"candidates": 1, "beams": 1}
SAMPLING = {
    "candidates": 3,
    "beams": 1,
    "temperature": 0.7,
    "top_p": 0.8,
    "max_new_tokens": 33,
    "vllm_gpus": 2,
}


@pytest.fixture(scope="module")
def answers(place: Path, bart: Path, qwen2: Path) -> dict[str, Any]:
    """What the engine gives a fake vLLM and makes of its answers, in a process of its own, case by case."""
    for name, text in FAKE.items():
        path = place / "packages" / "vllm" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    base = PretrainedConfig(model="tiny:qwen2", dtype="bfloat16")
    for kind, lora in (("adapter", LoRAConfig(rank=12)), ("tagged", LoRAConfig(rank=2, added_tags=True))):
        model, words = load_pretrained(base, frozen=True)
        saved(add_lora(model, words, lora, ["#Person1#"]), words, place / kind, base)
    saved(load_model(qwen2)[0], WORDS, place / "ends")
    GenerationConfig(eos_token_id=[WORDS.eos_token_id, 50, 51]).save_pretrained(place / "ends")
    (place / "on-its-base").mkdir()
    save_base(PretrainedConfig(model=str(place / "ends")), "causal", place / "on-its-base")
    cases: dict[str, Any] = {
        "sampled": [str(qwen2), [[7, 8, 1], [9, 1]], SAMPLING],
        "adapter": [str(place / "adapter"), [[7, 8]], ONE],
        "ends": [str(place / "ends"), [[7, 8]], ONE],
        "on its base": [str(place / "on-its-base"), [[7, 8]], ONE],
        "tagged": [str(place / "tagged"), [[7, 8]], ONE],
        "bart": [str(bart), [[7]], ONE],
        "beams": [str(qwen2), [[7]], {}],
        "blocked": [str(qwen2), [[7]], ONE | {"no_repeat_ngram": 3}],
    }
    paths = os.pathsep.join([str(place / "packages"), str(tiny.REPOSITORY)])
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, json.dumps(cases)],
        env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_vllm_is_given_token_ids_and_a_seed_for_every_sample(qwen2: Path, answers: dict[str, Any]) -> None:
    """Tests only how our settings are mapped, on a stand-in for vLLM; no vLLM is installed here."""
    (_, made), (_, prompts, params, lora) = answers["sampled"]["calls"]
    assert made == {
        "model": str(qwen2),
        "skip_tokenizer_init": True,
        "tensor_parallel_size": 2,
        "logprobs_mode": "raw_logprobs",
        "dtype": "float32",
        "seed": 0,
    }
    assert prompts == [{"prompt_token_ids": [7, 8, 1]}, {"prompt_token_ids": [9, 1]}]
    assert lora is None
    expected = {"n": 3, "temperature": 0.7, "top_p": 0.8, "max_tokens": 33, "ignore_eos": True, "logprobs": 0}
    expected |= {"stop_token_ids": [WORDS.eos_token_id], "detokenize": False}
    seeds = [given.pop("seed") for given in params]
    assert params == [expected, expected]
    assert len({seed + i for seed in seeds for i in range(3)}) == 6
    assert all(0 <= seed < 2**63 for seed in seeds)
    for group in answers["sampled"]["found"]:  # likelier ones first
        assert [c["logprob"] for c in group] == pytest.approx([-1, -1.5, -3])
        assert [c["tokens"] for c in group] == [3, 3, 3]
        assert "</s>" not in group[0]["text"]


def test_vllm_loads_adapters_on_the_base_they_were_trained_on(place: Path, answers: dict[str, Any]) -> None:
    """Tests only how our settings are mapped, on a stand-in for vLLM; no vLLM is installed here."""
    (_, made), (_, _, params, lora) = answers["adapter"]["calls"]
    assert made["model"] == str(tiny_model("tiny:qwen2"))
    assert (made["dtype"], made["enable_lora"], made["max_lora_rank"]) == ("bfloat16", True, 16)
    assert lora == {"name": "best", "id": 1, "path": str(place / "adapter")}
    assert (params[0]["n"], params[0]["temperature"], params[0]["top_p"]) == (1, 0.0, 1.0)


@pytest.mark.parametrize("case", ["ends", "on its base"])
def test_vllm_stops_at_every_end_that_the_checkpoint_names(answers: dict[str, Any], case: str) -> None:
    """Tests only how our settings are mapped, on a stand-in for vLLM; no vLLM is installed here."""
    _, (_, _, (params,), _) = answers[case]["calls"]
    assert params["stop_token_ids"] == [WORDS.eos_token_id, 50, 51]


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("tagged", "trained embedding rows (--added-tags), which vLLM cannot load: use --engine hf"),
        ("bart", "is an encoder-decoder (bart): use --engine ctranslate2"),
        ("beams", "does not support --beams 4"),
        ("blocked", "cannot block n-grams"),
    ],
)
def test_what_vllm_cannot_do_is_refused(answers: dict[str, Any], case: str, message: str) -> None:
    assert message in answers[case]["error"]
