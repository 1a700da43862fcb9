"""What is passed to vLLM exists in the release that is pinned: compared with facts read from the wheels."""

import configparser
import json
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from common.generation import vllm_model
from tests.generation import vllm_facts
from tests.support import REPOSITORY

FACTS = json.loads(vllm_facts.FACTS.read_text(encoding="utf-8"))
AGAIN = (
    "the pinned version has changed: read the facts of the new wheels, as tests/generation/vllm_facts.py says"
)


def pinned() -> dict[str, str]:
    lines = (REPOSITORY / "constraints-vllm.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


@pytest.mark.parametrize("package", ["vllm", "vllm-bnb-plugin"])
def test_the_facts_are_those_of_the_pinned_versions(package: str) -> None:
    assert pinned()[package] == FACTS["versions"][package], AGAIN
    parser = configparser.ConfigParser()
    parser.read(REPOSITORY / "setup.cfg", encoding="utf-8")
    asked = [Requirement(line) for line in parser["options.extras_require"]["vllm"].strip().splitlines()]
    (wanted,) = (each for each in asked if each.name == package)
    assert FACTS["versions"][package] in wanted.specifier, AGAIN


@pytest.mark.parametrize("package", ["vllm", "vllm-bnb-plugin"])
def test_the_pinned_set_is_what_the_wheels_require(package: str) -> None:
    """Packages for other platforms and Python versions are not in the set."""
    versions = pinned()
    environment = {"python_version": "3.11", "python_full_version": "3.11.9", "platform_machine": "x86_64",
                   "sys_platform": "linux", "platform_system": "Linux"}  # fmt: skip
    unmet = []
    for text in FACTS["requires"][package]:
        wanted = Requirement(text)
        if wanted.marker is None or wanted.marker.evaluate(environment):
            version = versions.get(canonicalize_name(wanted.name))
            if version is None or not wanted.specifier.contains(version, prereleases=True):
                unmet.append(f"{text}: {version}")
    assert unmet == []


def test_4_bit_weights_come_from_the_plugin_alone() -> None:
    assert "bitsandbytes" not in FACTS["QuantizationMethods"]
    assert FACTS["plugin"]["QuantizationMethods"] == ["bitsandbytes"]
    assert FACTS["plugin"]["entry_points"][:2] == [
        "[vllm.general_plugins]",
        f"bitsandbytes = {vllm_model.PLUGIN}:register",
    ]


def test_the_plugin_makes_the_4_bits_that_qlora_trained_on() -> None:
    """nf4 with double quantization, as `models.pretrained.load_pretrained`."""
    assert FACTS["plugin"]["quantize_4bit"] == [{"compress_statistics": True, "quant_type": "nf4"}]


def test_the_ranks_are_vllms() -> None:
    assert [rank for rank in FACTS["MaxLoRARanks"] if rank > 1] == list(vllm_model.RANKS)


def test_vllm_takes_adapters_of_every_family_but_those_that_are_refused() -> None:
    without = {name for name, supported in FACTS["supports LoRA"].items() if not supported}
    assert without == {MODEL_FOR_CAUSAL_LM_MAPPING_NAMES[kind] for kind in vllm_model.WITHOUT_LORA}


def test_the_environment_variables_are_vllms() -> None:
    assert set(vllm_model.ENVIRONMENT) <= set(FACTS["environment"])


@pytest.mark.parametrize("name", vllm_model.MULTIMODAL)
def test_vllm_finds_the_language_model_of_a_multimodal_class_by_our_names(name: str) -> None:
    prefix = vllm_model.TEXT_PREFIX.removeprefix("base_model.model.")
    assert FACTS["layer names"][name][prefix] == "language_model.model."


def test_the_answers_have_what_is_read_of_them() -> None:
    assert {"token_ids", "logprobs"} <= set(FACTS["CompletionOutput"])


SOURCES = {
    "vllm/entrypoints/llm.py": """
class LLM:
    def __init__(self, model: str, *, seed: int = 0, **kwargs: Any) -> None: ...
    def generate(self, prompts: list, *, use_tqdm: bool = True): ...
""",
    "vllm/inputs/llm.py": """
class _PromptOptions(TypedDict):
    cache_salt: NotRequired[str]
class TokensPrompt(_PromptOptions):
    prompt_token_ids: list[int]
""",
    "vllm/config/model.py": """
ModelDType = Literal["auto", "half"]
LogprobsMode = Literal["raw"]
class ModelConfig:
    max_model_len: int = Field(default=None, ge=-1)
""",
    "vllm/outputs.py": "class CompletionOutput:\n    text: str\n",
    "vllm/engine/arg_utils.py": "class EngineArgs:\n    seed: int = 0\n    _private: int = 1\n",
    "vllm/sampling_params.py": "class SamplingParams:\n    n: int = 1\n",
    "vllm/lora/request.py": "class LoRARequest:\n    lora_name: str\n",
    "vllm/config/lora.py": "MaxLoRARanks = Literal[1, 8]\n",
    "vllm/model_executor/layers/quantization/__init__.py": 'QuantizationMethods = Literal["awq"]\n',
    "vllm/envs.py": 'environment_variables: dict = {"VLLM_NO_USAGE_STATS": f, "VLLM_OTHER": f}\n',
    "vllm-1.dist-info/METADATA": 'Version: 1\nRequires-Dist: torch==2\nRequires-Dist: x; extra == "y"\n',
}
PLUGIN = {
    "vllm_bnb_plugin/__init__.py": 'def register():\n    register_quantization_config("bitsandbytes")(Config)\n',
    "vllm_bnb_plugin/bitsandbytes_loader.py": "a(); quantize_4bit(x, quant_type='nf4'); quantize_4bit(y, quant_type='nf4')",
    "p-2.dist-info/METADATA": "Version: 2\n",
    "p-2.dist-info/entry_points.txt": "[group]\na = b:c",
}
MODELS = {
    "gemma3_mm.py": "class Gemma3ForConditionalGeneration:\n    hf_to_vllm_mapper = Map(orig_to_new_prefix={'a.': 'b.'})\n",
    "registry.py": 'MODELS = {"GPT2LMHeadModel": ("gpt2", "GPT2"), "Known": ("known", "Class")}\n',
    "gpt2.py": "class GPT2(Module):\n    pass\n",
    "known.py": "class Class(Module, SupportsLoRA):\n    pass\n",
    "qwen3_vl.py": "class Qwen3VLForConditionalGeneration:\n    hf_to_vllm_mapper = Map(orig_to_new_prefix={'v.': 'w.'})\n",
    "qwen3_5.py": """
class Qwen3_5ForConditionalGeneration(Qwen3VLForConditionalGeneration):
    hf_to_vllm_mapper = Qwen3VLForConditionalGeneration.hf_to_vllm_mapper | Map(orig_to_new_prefix={"mtp.": None})
class Qwen3_5MoeForConditionalGeneration(Qwen3_5ForConditionalGeneration):
    pass
""",
}


def wheel(path: Path, files: dict[str, str]) -> vllm_facts.Wheel:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return vllm_facts.Wheel(path)


def test_facts_are_read_from_wheels_without_importing_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = SOURCES | {vllm_facts.MODELS + name: text for name, text in MODELS.items()}
    known = {name: file for name, file in vllm_facts.MULTIMODAL.items() if file in MODELS}
    monkeypatch.setattr(vllm_facts, "MULTIMODAL", known)
    monkeypatch.setattr(vllm_facts, "TEXT", ("GPT2LMHeadModel", "Known"))
    found = vllm_facts.facts(wheel(tmp_path / "vllm.whl", files), wheel(tmp_path / "plugin.whl", PLUGIN))
    assert found == {
        "versions": {"vllm": "1", "vllm-bnb-plugin": "2"},
        "requires": {"vllm": ["torch==2"], "vllm-bnb-plugin": []},
        "LLM": {"model": "str", "seed": "int", "**": "Any"},
        "LLM.generate": {"prompts": "list", "use_tqdm": "bool"},
        "EngineArgs": {"seed": "int"},
        "SamplingParams": {"n": "int"},
        "LoRARequest": {"lora_name": "str"},
        "TokensPrompt": {"cache_salt": "NotRequired[str]", "prompt_token_ids": "list[int]"},
        "CompletionOutput": {"text": "str"},
        "ModelDType": ["auto", "half"],
        "LogprobsMode": ["raw"],
        "MaxLoRARanks": [1, 8],
        "QuantizationMethods": ["awq"],
        "plugin": {
            "QuantizationMethods": ["bitsandbytes"],
            "quantize_4bit": [{"quant_type": "nf4"}],
            "entry_points": ["[group]", "a = b:c"],
        },
        "max_model_len": {"default": None, "ge": -1},
        "supports LoRA": {"GPT2LMHeadModel": False, "Known": True},
        "environment": ["VLLM_NO_USAGE_STATS"],
        "layer names": {
            "Gemma3ForConditionalGeneration": {"a.": "b."},
            "Qwen3VLForConditionalGeneration": {"v.": "w."},
            "Qwen3_5ForConditionalGeneration": {"v.": "w.", "mtp.": None},
            "Qwen3_5MoeForConditionalGeneration": {"v.": "w.", "mtp.": None},
        },
    }
