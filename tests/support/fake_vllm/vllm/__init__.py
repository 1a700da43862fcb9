"""Stand for vLLM in tests: take only what the pinned release takes, record it, and answer without a model.

A greedy answer repeats the prompt, so that a test can read it; samples are made from the seed.
"""

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

FACTS = json.loads((Path(__file__).parents[3] / "generation" / "vllm_facts.json").read_text(encoding="utf-8"))
CALLS: list[list[Any]] = []
METHODS = [*FACTS["QuantizationMethods"], *FACTS["plugin"]["QuantizationMethods"]]
CHOICES = {
    "ModelDType": FACTS["ModelDType"],
    "LogprobsMode": FACTS["LogprobsMode"],
    "MaxLoRARanks": FACTS["MaxLoRARanks"],
    "QuantizationMethods | None": METHODS,
    "QuantizationMethods | str | None": METHODS,
}
TYPES = {
    "str": str,
    "bool": bool,
    "int": int,
    "int | None": int,
    "float": float,
    "list[int] | None": list,
    "list[int]": list,
}


def check(name: str, accepted: dict[str, str], given: dict[str, Any]) -> None:
    """Raise TypeError or ValueError for an argument, a type or a value that the pinned release does not take."""
    for key, value in given.items():
        if key not in accepted:
            raise TypeError(f"{name} has no {key}")
        kind = accepted[key]
        if kind in CHOICES:
            if value not in CHOICES[kind]:
                raise ValueError(f"{name}: {key} cannot be {value!r}")
        elif type(value) is not TYPES[kind] or (
            kind == "list[int] | None" and any(type(one) is not int for one in value)
        ):
            raise TypeError(f"{name}: {key} is {kind}, not {value!r}")


class SamplingParams:
    def __init__(self, **settings: Any) -> None:
        check("SamplingParams", FACTS["SamplingParams"], settings)
        assert not settings["detokenize"]  # LLM gets no tokenizer
        self.settings = settings


class LLM:
    def __init__(self, **settings: Any) -> None:
        check("LLM", FACTS["EngineArgs"] | FACTS["LLM"], settings)
        assert settings["max_model_len"] >= FACTS["max_model_len"]["ge"]
        names = ("CUDA_VISIBLE_DEVICES", "RANK", "WORLD_SIZE", "LOCAL_RANK", "TORCHELASTIC_USE_AGENT_STORE",
                 *FACTS["environment"])  # fmt: skip
        CALLS.append(["LLM", settings, {name: os.environ[name] for name in names if name in os.environ}])
        if failure := os.environ.get("FAKE_VLLM_FAILS_TO_LOAD"):
            raise ValueError(failure)

    def generate(self, prompts: list[Any], sampling_params: Any = None, **more: Any) -> list[Any]:
        for name in more:
            if name not in FACTS["LLM.generate"]:
                raise TypeError(f"LLM.generate has no {name}")
        assert len(prompts) == len(sampling_params)
        assert more["use_tqdm"] is False
        if failure := os.environ.get("FAKE_VLLM_FAILS_TO_GENERATE"):
            raise RuntimeError(failure)
        lora = more["lora_request"]
        adapted = lora is not None and "FAKE_VLLM_IGNORES_ADAPTERS" not in os.environ
        CALLS.append(["generate", prompts, [p.settings for p in sampling_params], lora and vars(lora)])
        return [
            SimpleNamespace(
                outputs=[output(prompt, p.settings, i, adapted) for i in range(p.settings.get("n", 1))]
            )
            for prompt, p in zip(prompts, sampling_params, strict=True)
        ]


def output(prompt: dict[str, Any], settings: dict[str, Any], index: int, adapted: bool) -> SimpleNamespace:
    end = settings.get("stop_token_ids", [1])[0]
    ids = [*prompt["prompt_token_ids"], end]
    if settings["temperature"]:
        ids = [5 + (settings["seed"] + index) % 97, 20 + index, end]
    # The second sample's tokens are likelier; the other token stands for the best one, which may be reported too.
    logprob = -1.0 / (1 + index) - 0.25 * adapted
    steps = [{token: SimpleNamespace(logprob=logprob), 9999: SimpleNamespace(logprob=0.0)} for token in ids]
    return SimpleNamespace(token_ids=tuple(ids), logprobs=steps)
