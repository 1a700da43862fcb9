"""Read from the wheels of vLLM and of its bitsandbytes plugin what `common.generation.vllm` relies on, without importing them.

A change of the pinned versions needs new facts, which show whether all that is passed to vLLM still exists:

    pip download --no-deps -d wheels vllm==X vllm-bnb-plugin==Y
    python -m tests.generation.vllm_facts wheels/vllm-*.whl wheels/vllm_bnb_plugin-*.whl
"""

import ast
import json
import sys
import zipfile
from email.parser import Parser
from pathlib import Path
from typing import Any

from common.generation.vllm_model import ENVIRONMENT

FACTS = Path(__file__).with_name("vllm_facts.json")
MODELS = "vllm/model_executor/models/"
MULTIMODAL = {
    "Gemma3ForConditionalGeneration": "gemma3_mm.py",
    "Gemma3nForConditionalGeneration": "gemma3n_mm.py",
    "Gemma4ForConditionalGeneration": "gemma4_mm.py",
    "Gemma4UnifiedForConditionalGeneration": "gemma4_unified.py",
    "Qwen3VLForConditionalGeneration": "qwen3_vl.py",
    "Qwen3_5ForConditionalGeneration": "qwen3_5.py",
    "Qwen3_5MoeForConditionalGeneration": "qwen3_5.py",
}
"""Multimodal class → its file; a class may take over the names of another one in this table."""

TEXT = (
    "Exaone4ForCausalLM",
    "GPT2LMHeadModel",
    "Gemma2ForCausalLM",
    "Gemma3ForCausalLM",
    "HyperCLOVAXForCausalLM",
    "Lfm2ForCausalLM",
    "LlamaForCausalLM",
    "Qwen2ForCausalLM",
    "Qwen3ForCausalLM",
)
"""Classes of the causal models that Korean teams use."""


class Wheel:
    """The Python files of a wheel, as syntax trees."""

    def __init__(self, path: Path) -> None:
        self.archive = zipfile.ZipFile(path)

    def tree(self, name: str) -> ast.Module:
        return ast.parse(self.archive.read(name))

    def metadata(self, file: str) -> str:
        (name,) = (name for name in self.archive.namelist() if name.endswith(f".dist-info/{file}"))
        return self.archive.read(name).decode()

    def version(self) -> str:
        return str(Parser().parsestr(self.metadata("METADATA"))["Version"])

    def requirements(self) -> list[str]:
        """What it needs without an extra."""
        found = Parser().parsestr(self.metadata("METADATA")).get_all("Requires-Dist") or []
        return sorted(text for text in found if "extra ==" not in text)


def class_of(tree: ast.Module, name: str) -> ast.ClassDef:
    return next(node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == name)


def fields(tree: ast.Module, name: str) -> dict[str, str]:
    """Annotated name → annotation of a class body, without private ones."""
    body = class_of(tree, name).body
    return {
        node.target.id: ast.unparse(node.annotation)
        for node in body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id[0] != "_"
    }


def parameters(tree: ast.Module, name: str, method: str) -> dict[str, str]:
    """Parameter → annotation of a method, without self; "**" stands for any other keyword."""
    function = next(
        node
        for node in class_of(tree, name).body
        if isinstance(node, ast.FunctionDef) and node.name == method
    )
    given = function.args
    found = [*given.args[1:], *given.kwonlyargs]
    more = [ast.arg("**", given.kwarg.annotation)] if given.kwarg else []
    return {one.arg: ast.unparse(one.annotation) if one.annotation else "" for one in [*found, *more]}


def literal(tree: ast.Module, name: str) -> list[Any]:
    """The values of `name = Literal[…]`."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id == name
        ):
            assert isinstance(node.value, ast.Subscript)
            values = ast.literal_eval(node.value.slice)
            return list(values) if isinstance(values, tuple) else [values]
    raise LookupError(name)


def field_arguments(tree: ast.Module, owner: str, name: str) -> dict[str, Any]:
    """The constant arguments of `name: type = Field(…)` in a class."""
    for node in class_of(tree, owner).body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == name:
            assert isinstance(node.value, ast.Call)
            return {str(one.arg): ast.literal_eval(one.value) for one in node.value.keywords}
    raise LookupError(name)


def registered(tree: ast.Module) -> list[str]:
    """The names that a plugin registers as quantization methods."""
    return [
        ast.literal_eval(node.args[0])
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "register_quantization_config"
    ]


def arguments(tree: ast.Module, function: str) -> list[dict[str, Any]]:
    """The constant keyword arguments of each call of a function, without repetitions."""
    found: list[dict[str, Any]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == function:
            given = {
                str(one.arg): one.value.value for one in node.keywords if isinstance(one.value, ast.Constant)
            }
            if given not in found:
                found.append(given)
    return found


def environment(tree: ast.Module) -> list[str]:
    """The environment variables of those that we set which vLLM reads."""
    for node in ast.walk(tree):
        target = node.target if isinstance(node, ast.AnnAssign) else None
        if isinstance(target, ast.Name) and target.id == "environment_variables":
            assert isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Dict)
            names = [str(key.value) for key in node.value.keys if isinstance(key, ast.Constant)]
            return sorted(set(names) & {*ENVIRONMENT, "CUDA_VISIBLE_DEVICES"})
    raise LookupError("environment_variables")


def layer_names(wheel: Wheel, name: str) -> dict[str, str | None]:
    """Beginning of a layer's name in a checkpoint → in vLLM, of a multimodal class."""
    tree = wheel.tree(MODELS + MULTIMODAL[name])
    owner = class_of(tree, name)
    for node in owner.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "hf_to_vllm_mapper":
            found: dict[str, str | None] = {}
            for part in ast.walk(node.value):
                if isinstance(part, ast.keyword) and part.arg == "orig_to_new_prefix":
                    found |= ast.literal_eval(part.value)
                if isinstance(part, ast.Attribute) and part.attr == "hf_to_vllm_mapper":
                    found |= layer_names(wheel, ast.unparse(part.value))
            return found
    parent = next(base.id for base in owner.bases if isinstance(base, ast.Name) and base.id in MULTIMODAL)
    return layer_names(wheel, parent)


def supports_lora(wheel: Wheel, name: str) -> bool:
    """Whether a class of the registry takes adapters."""
    registry = wheel.tree("vllm/model_executor/models/registry.py")
    file, served = next(
        ast.literal_eval(value)
        for node in ast.walk(registry)
        if isinstance(node, ast.Dict)
        for key, value in zip(node.keys, node.values, strict=True)
        if isinstance(key, ast.Constant) and key.value == name and isinstance(value, ast.Tuple)
    )
    bases = class_of(wheel.tree(f"{MODELS}{file}.py"), served).bases
    return "SupportsLoRA" in map(ast.unparse, bases)


def facts(vllm: Wheel, plugin: Wheel) -> dict[str, Any]:
    llm = vllm.tree("vllm/entrypoints/llm.py")
    inputs = vllm.tree("vllm/inputs/llm.py")
    model = vllm.tree("vllm/config/model.py")
    outputs = vllm.tree("vllm/outputs.py")
    return {
        "versions": {"vllm": vllm.version(), "vllm-bnb-plugin": plugin.version()},
        "requires": {"vllm": vllm.requirements(), "vllm-bnb-plugin": plugin.requirements()},
        "LLM": parameters(llm, "LLM", "__init__"),
        "LLM.generate": parameters(llm, "LLM", "generate"),
        "EngineArgs": fields(vllm.tree("vllm/engine/arg_utils.py"), "EngineArgs"),
        "SamplingParams": fields(vllm.tree("vllm/sampling_params.py"), "SamplingParams"),
        "LoRARequest": fields(vllm.tree("vllm/lora/request.py"), "LoRARequest"),
        "TokensPrompt": fields(inputs, "_PromptOptions") | fields(inputs, "TokensPrompt"),
        "CompletionOutput": fields(outputs, "CompletionOutput"),
        "ModelDType": literal(model, "ModelDType"),
        "LogprobsMode": literal(model, "LogprobsMode"),
        "MaxLoRARanks": literal(vllm.tree("vllm/config/lora.py"), "MaxLoRARanks"),
        "QuantizationMethods": literal(
            vllm.tree("vllm/model_executor/layers/quantization/__init__.py"), "QuantizationMethods"
        ),
        "plugin": {
            "QuantizationMethods": registered(plugin.tree("vllm_bnb_plugin/__init__.py")),
            "quantize_4bit": arguments(
                plugin.tree("vllm_bnb_plugin/bitsandbytes_loader.py"), "quantize_4bit"
            ),
            "entry_points": plugin.metadata("entry_points.txt").split("\n"),
        },
        "max_model_len": field_arguments(model, "ModelConfig", "max_model_len"),
        "supports LoRA": {name: supports_lora(vllm, name) for name in TEXT},
        "environment": environment(vllm.tree("vllm/envs.py")),
        "layer names": {name: layer_names(vllm, name) for name in MULTIMODAL},
    }


if __name__ == "__main__":
    found = facts(*(Wheel(Path(name)) for name in sys.argv[1:3]))
    FACTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
