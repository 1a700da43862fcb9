"""vLLM is given what it needs, or refused in one line.

No vLLM is installed here: `tests/support/fake_vllm` stands for it, and takes only what the pinned release takes.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import GenerationConfig

from common.core import signals
from common.core.errors import UserError
from common.core.files import read_json, write_json
from common.core.signals import Interrupted
from common.generation import engines, vllm
from common.models.adapters import add_lora
from common.models.config import LoRAConfig, PretrainedConfig
from common.models.pretrained import load_pretrained, pretrained_tokenizer
from common.models.storage import load_model, save_base
from common.models.tiny import tiny as tiny_model
from tests.support import tiny
from tests.support.engines import GREEDY, WORDS, saved

pytestmark = pytest.mark.usefixtures("place")

GB = 2**30
DRIVER = """
import json, os, sys
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
import torch
import vllm
import common.models.storage
from common.core import distributed
from common.core.errors import UserError
from common.core.messages import log_to_terminal
from common.generation.config import DecodingConfig
from common.generation.engines import decoder
from common.tokenization.config import LengthConfig
log_to_terminal()
distributed.wait = lambda: None  # a case is one of two processes, and the other one does not exist
torch.cuda.is_available = lambda: True  # once everything is imported

def answer(folder, sources, settings, lengths=None, memory=80 * 2**30, gpus=2, bf16=True, environment=None):
    vllm.CALLS.clear()
    torch.cuda.device_count = lambda: gpus
    torch.cuda.get_device_properties = lambda _: SimpleNamespace(total_memory=memory)
    torch.cuda.is_bf16_supported = lambda including_emulation: bf16
    before = dict(os.environ)
    os.environ.update(environment or {})
    config = DecodingConfig(engine="vllm", **settings)
    try:
        run, _ = decoder(Path(folder), config, LengthConfig(lengths) if lengths else None)
        found = run(sources, config, 2**63 - 1)
    except UserError as error:
        return {"error": str(error)}
    finally:
        os.environ.clear()
        os.environ.update(before)
    pooled = [[asdict(c) for c in group] for group in found]
    return {"calls": list(vllm.CALLS), "found": pooled, "dialogues": run.dialogues, "made_with": run.made_with}

print(json.dumps({name: answer(**case) for name, case in json.loads(sys.argv[1]).items()}))
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
BOTH = {"candidates": 1, "beams": 1, "samples": 4, "samples_temperature": 0.9, "max_new_tokens": 33}
SOURCES = [[7, 8, 1], [9, 1], [30, 31, 32, 1]]
THOUGHT = "<think>\n시장에 간다.\n</think>\n\n요약: 시장에서 만난다."


def case(folder: Path, settings: dict[str, Any], sources: Any = ((7, 8),), **more: Any) -> dict[str, Any]:
    return {"folder": str(folder), "sources": sources, "settings": settings, **more}


def calls(answer: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str], list[Any], list[Any], Any]:
    """What LLM got, in which environment, and what the last call of generate got."""
    assert "calls" in answer, answer
    (_, made, environment), *generated = answer["calls"]
    _, prompts, params, lora = generated[-1]
    return made, environment, prompts, params, lora


@pytest.fixture(scope="module")
def chat(place: Path) -> list[int]:
    return list(
        pretrained_tokenizer(tiny_model("tiny:qwen2")).encode(
            THOUGHT, add_special_tokens=False, split_special_tokens=True
        )
    )


@pytest.fixture(scope="module")
def answered(place: Path, bart: Path, qwen2: Path, chat: list[int]) -> tuple[dict[str, Any], str]:
    """What the engine gives a fake vLLM and makes of its answers, in a process of its own, case by case; and its stderr."""
    base = PretrainedConfig(model="tiny:qwen2", dtype="bfloat16")
    for kind, lora in (("adapter", LoRAConfig(rank=12)), ("tagged", LoRAConfig(rank=2, added_tags=True))):
        model, words = load_pretrained(base, frozen=True)
        saved(add_lora(model, words, lora, ["#Person1#"]), words, place / kind, base)
    for quantization in ("nf4", "int8", "float32"):
        shutil.copytree(place / "adapter", place / quantization)
        changes = {"quantization": quantization} if quantization != "float32" else {"dtype": "float32"}
        kept = read_json(place / "adapter" / "base.json")
        kept["config"] |= {"dtype": "auto"} | changes
        write_json(place / quantization / "base.json", kept)
    saved(load_model(qwen2)[0], WORDS, place / "ends")
    GenerationConfig(eos_token_id=[WORDS.eos_token_id, 50, 51]).save_pretrained(place / "ends")
    (place / "on-its-base").mkdir()
    save_base(PretrainedConfig(model=str(place / "ends")), "causal", place / "on-its-base")
    small = {"memory": 100_000}
    second = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2", "MASTER_PORT": "1",
              "TORCHELASTIC_USE_AGENT_STORE": "True"}  # fmt: skip
    cases = {
        "sampled": case(qwen2, SAMPLING, SOURCES, lengths=100),
        "both": case(qwen2, BOTH, SOURCES),
        "both reversed": case(qwen2, BOTH, SOURCES[::-1]),
        "adapter": case(place / "adapter", ONE),
        "chat": case(place / "adapter", ONE, [chat]),
        "ignored adapter": case(place / "adapter", ONE, environment={"FAKE_VLLM_IGNORES_ADAPTERS": "1"}),
        "ends": case(place / "ends", ONE),
        "on its base": case(place / "on-its-base", ONE),
        "nf4, fits": case(place / "nf4", ONE),
        "nf4, does not fit": case(place / "nf4", ONE, **small),
        "nf4, as trained": case(place / "nf4", ONE | {"vllm_quantization": "trained"}),
        "nf4, never": case(place / "nf4", ONE | {"vllm_quantization": "none"}, **small),
        "int8, fits": case(place / "int8", ONE),
        "old GPU, adapter": case(place / "nf4", ONE, bf16=False),
        "old GPU": case(qwen2, ONE, bf16=False),
        "second of two": case(qwen2, ONE, environment=second | {"CUDA_VISIBLE_DEVICES": "3, 5"}),
        "second of two, sharded": case(qwen2, ONE | {"vllm_gpus": 2}, environment=second, gpus=4),
        "too few GPUs": case(qwen2, ONE | {"vllm_gpus": 2}, environment=second, gpus=3),
        "too few GPUs alone": case(qwen2, ONE | {"vllm_gpus": 4}, gpus=2),
        "tagged": case(place / "tagged", ONE),
        "int8": case(place / "int8", ONE, **small),
        "int8, as trained": case(place / "int8", ONE | {"vllm_quantization": "trained"}),
        "float32": case(place / "float32", ONE),
        "bart": case(bart, ONE),
        "beams": case(qwen2, {}),
        "blocked": case(qwen2, ONE | {"no_repeat_ngram": 3}),
        "long source": case(qwen2, ONE | {"max_new_tokens": 33}, [[7] * 101], lengths=100),
        "long context": case(qwen2, ONE, lengths=10_000),
        "does not load": case(qwen2, ONE, environment={"FAKE_VLLM_FAILS_TO_LOAD": "no memory\nmore"}),
        "stops": case(qwen2, ONE, environment={"FAKE_VLLM_FAILS_TO_GENERATE": "engine is dead"}),
    }
    paths = os.pathsep.join([str(tiny.REPOSITORY / "tests" / "support" / "fake_vllm"), str(tiny.REPOSITORY)])
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, json.dumps(cases)],
        env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


@pytest.fixture(scope="module")
def answers(answered: tuple[dict[str, Any], str]) -> dict[str, Any]:
    return answered[0]


def test_vllm_wants_a_gpu_and_its_package(qwen2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = replace(GREEDY, engine="vllm")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(
        UserError, match=r"^--engine vllm needs a CUDA GPU, and this machine has none; .*--engine hf"
    ):
        engines.decoder(qwen2, config)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setitem(sys.modules, "vllm", None)
    for name in ("VLLM_WORKER_MULTIPROC_METHOD", "VLLM_NO_USAGE_STATS", "VLLM_LOGGING_LEVEL"):
        monkeypatch.setenv(name, "")  # restored afterwards
    with pytest.raises(UserError, match=r"pip install -c constraints-vllm\.txt -e '\.\[train,vllm\]'"):
        engines.decoder(qwen2, config)


def test_vllm_is_given_token_ids_and_a_seed_for_every_sample(qwen2: Path, answers: dict[str, Any]) -> None:
    made, environment, prompts, params, lora = calls(answers["sampled"])
    assert made == {
        "model": str(qwen2),
        "skip_tokenizer_init": True,
        "tensor_parallel_size": 2,
        "logprobs_mode": "raw_logprobs",
        "dtype": "bfloat16",  # a fully trained model's weights are saved in float32
        "seed": 0,
        "max_model_len": 133,
    }
    assert environment == {
        "CUDA_VISIBLE_DEVICES": "0,1",
        "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_LOGGING_LEVEL": "ERROR",
    }
    assert prompts == [{"prompt_token_ids": source} for source in SOURCES]
    assert lora is None
    expected = {
        "n": 3,
        "temperature": 0.7,
        "top_p": 0.8,
        "max_tokens": 33,
        "ignore_eos": True,
        "logprobs": 0,
        "repetition_penalty": 1.0,
    }
    expected |= {"stop_token_ids": [WORDS.eos_token_id], "detokenize": False}
    seeds = [given.pop("seed") for given in params]
    assert params == [expected] * 3
    assert len({seed + i for seed in seeds for i in range(3)}) == 9
    assert all(0 <= seed < 2**63 - 1024 for seed in seeds)
    for group in answers["sampled"]["found"]:  # likelier ones first
        assert [c["logprob"] for c in group] == pytest.approx([-1, -1.5, -3])
        assert [c["tokens"] for c in group] == [3, 3, 3]
        assert "</s>" not in group[0]["text"]


def test_without_lengths_vllm_chooses_the_longest_context_that_fits(answers: dict[str, Any]) -> None:
    assert calls(answers["both"])[0]["max_model_len"] == -1


def test_a_dialogues_summary_and_samples_are_neighbours_in_one_call(answers: dict[str, Any]) -> None:
    """vLLM then reads each dialogue once, and keeps the GPU busy with all of them."""
    answer = answers["both"]
    assert len(answer["calls"]) == 2  # LLM and one generate
    _, _, prompts, params, _ = calls(answer)
    assert prompts == [{"prompt_token_ids": source} for source in SOURCES for _ in range(2)]
    assert [(p["n"], p["temperature"], p["top_p"]) for p in params] == [(1, 0.0, 1.0), (4, 0.9, 0.95)] * 3
    greedy = [group[0] for group in answer["found"]]
    assert [c["text"] for c in greedy] == [
        WORDS.decode(source, skip_special_tokens=True).strip() for source in SOURCES
    ]
    assert [len(group) for group in answer["found"]] == [5, 5, 5]
    assert [round(c["logprob"], 2) for c in answer["found"][0][1:]] == [-0.75, -1.0, -1.5, -3.0]
    assert answer["dialogues"] >= 512


def test_samples_depend_on_the_dialogue_alone(answers: dict[str, Any]) -> None:
    assert answers["both reversed"]["found"] == answers["both"]["found"][::-1]


def test_vllm_loads_adapters_on_the_base_they_were_trained_on(place: Path, answers: dict[str, Any]) -> None:
    made, _, _, params, lora = calls(answers["adapter"])
    assert made["model"] == str(tiny_model("tiny:qwen2"))
    assert (made["dtype"], made["enable_lora"], made["max_lora_rank"]) == ("bfloat16", True, 16)
    assert lora == {"lora_name": "best", "lora_int_id": 1, "lora_path": str(place / "adapter")}
    assert (params[0]["n"], params[0]["temperature"], params[0]["top_p"]) == (1, 0.0, 1.0)


def test_adapters_without_effect_are_warned_of(answered: tuple[dict[str, Any], str]) -> None:
    """vLLM ignores adapters of layers that it does not find, without a word."""
    assert "found" in answered[0]["ignored adapter"]
    assert answered[1].count("the adapters change nothing in vLLM's answer") == 1


def test_a_chat_models_answers_are_tidied_as_those_of_an_api(answers: dict[str, Any]) -> None:
    assert answers["chat"]["found"][0][0]["text"] == "시장에서 만난다."


@pytest.mark.parametrize("case", ["ends", "on its base"])
def test_vllm_stops_at_every_end_that_the_checkpoint_names(answers: dict[str, Any], case: str) -> None:
    _, _, _, (params,), _ = calls(answers[case])
    assert params["stop_token_ids"] == [WORDS.eos_token_id, 50, 51]


@pytest.mark.parametrize(
    ("case", "quantization", "dtype"),
    [
        ("nf4, fits", None, "bfloat16"),
        ("nf4, does not fit", "bitsandbytes", "bfloat16"),
        ("nf4, as trained", "bitsandbytes", "bfloat16"),
        ("nf4, never", None, "bfloat16"),
        ("int8, fits", None, "bfloat16"),
        ("old GPU, adapter", None, "float16"),
        ("old GPU", None, "float32"),
    ],
)
def test_the_weights_after_qlora_have_16_bits_where_they_fit(
    answers: dict[str, Any], case: str, quantization: str | None, dtype: str
) -> None:
    made = calls(answers[case])[0]
    assert (made.get("quantization"), made["dtype"]) == (quantization, dtype)
    assert answers[case]["made_with"] == f"vllm, weights {'nf4' if quantization else 'none'}"


def test_the_log_says_which_weights_were_chosen(answered: tuple[dict[str, Any], str]) -> None:
    assert "vLLM decodes with weights nf4; training held them as nf4 (--vllm-quantization)." in answered[1]
    assert (
        "vLLM decodes with weights as stored (16 or 32 bits); training held them as int8 (--vllm-quantization)."
        in answered[1]
    )


@pytest.mark.parametrize(
    ("case", "visible"), [("second of two", "5"), ("second of two, sharded", "2,3"), ("both", "0")]
)
def test_each_process_runs_the_model_on_gpus_of_its_own(
    answers: dict[str, Any], case: str, visible: str
) -> None:
    environment = calls(answers[case])[1]
    assert environment["CUDA_VISIBLE_DEVICES"] == visible
    # vLLM would join torchrun's group of processes, or wait for its server.
    assert not {"RANK", "WORLD_SIZE", "LOCAL_RANK", "TORCHELASTIC_USE_AGENT_STORE"} & set(environment)


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("tagged", "trained embedding rows (--added-tags), which vLLM cannot load: use --engine hf"),
        ("int8", "16-bit weights (0.0 GB) leave too little of the GPU's 0.0 GB: use --engine hf."),
        ("int8, as trained", "as this run was trained: use --vllm-quantization none, or use --engine hf."),
        ("float32", "only computes adapters in 16 bits, and this run was trained with --dtype float32"),
        ("bart", "is an encoder-decoder (bart): use --engine ctranslate2"),
        ("beams", "does not support --beams 4"),
        ("blocked", "cannot block n-grams"),
        ("long source", "keeps room for 133 tokens (--max-source-tokens and --max-new-tokens), but a source of 101"),
        ("long context", "context is 256 tokens, which --max-source-tokens 10000 and --max-new-tokens 128 exceed"),
        ("too few GPUs", "--vllm-gpus 2: this machine has 3 GPUs, and 2 processes need 4; lower it or gpus=."),
        ("too few GPUs alone", "--vllm-gpus 4: this machine has 2 GPUs, and 1 process needs 4; lower it."),
        ("does not load", "--engine vllm cannot load qwen2 (ValueError: no memory). If memory is short, use"),
        ("stops", "--engine vllm stopped (RuntimeError: engine is dead); finished dialogues are kept. Run this"),
    ],
)  # fmt: skip
def test_what_vllm_cannot_do_is_refused(answers: dict[str, Any], case: str, message: str) -> None:
    assert message in answers[case]["error"]
    assert "\n" not in answers[case]["error"]


def test_a_signal_that_ends_vllms_own_process_is_no_failure() -> None:
    """Ctrl-C in a terminal reaches vLLM's process too."""

    class Ended:
        def generate(self, *_: Any, **__: Any) -> Any:
            os.kill(os.getpid(), signal.SIGINT)
            raise RuntimeError("EngineCore encountered an issue")

    with pytest.raises(Interrupted) as stop, signals.noted():
        vllm._generate(Ended(), [], [], None)
    assert stop.value.number == signal.SIGINT


def test_a_trained_run_is_inferred_with_vllm_and_other_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole stage, on the fake vLLM: the weights are a setting that may differ from training's."""
    copy = tiny.repository(tmp_path / "repository", train_rows=24, other_rows=4)
    code, output = tiny.call(copy, "experiments.exp012.train", "--smoke", "--competition=daily_talk")
    assert code == 0, output
    monkeypatch.syspath_prepend(str(tiny.REPOSITORY / "tests" / "support" / "fake_vllm"))
    for name in ("VLLM_WORKER_MULTIPROC_METHOD", "VLLM_NO_USAGE_STATS", "VLLM_LOGGING_LEVEL"):
        monkeypatch.setenv(name, "")  # restored afterwards
    memory = [80 * GB]
    for name, stand in (
        ("is_available", lambda: True),
        ("device_count", lambda: 1),
        ("is_bf16_supported", lambda including_emulation=True: True),
        ("get_device_properties", lambda _: SimpleNamespace(total_memory=memory[0], name="fake")),
    ):
        monkeypatch.setattr(torch.cuda, name, stand)
    record = copy / "outputs" / "smoke" / "daily_talk" / "exp012" / "run.json"
    made = []
    try:
        for least in (80 * GB, 1000):
            memory[0] = least
            code, output = tiny.call(copy, "experiments.exp012.infer", "--smoke", "--competition=daily_talk",
                                    "--engine=vllm", "--vllm-quantization=auto")  # fmt: skip
            assert code == 0, output
            made.append(read_json(record)["infer"]["notes"]["decoded_with"])
            calls = list(sys.modules["vllm"].CALLS)
            sys.modules["vllm"].CALLS.clear()
            # Another precision makes all candidates again: a test of the adapters (twice), dev, test.
            assert [name for name, *_ in calls] == ["LLM", *["generate"] * 4]
            assert calls[0][1]["max_model_len"] == 2048 + 8
            assert [len(prompts) for _, prompts, *_ in calls[1:]] == [1, 1, 8, 8]
            lines = (record.parent / "dev" / "candidates.jsonl").read_text(encoding="utf-8").splitlines()
            assert [len(json.loads(line)["candidates"]) for line in lines] == [2] * 4
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] in ("vllm", "vllm_bnb_plugin")]:
            del sys.modules[name]
    assert made == ["vllm, weights none", "vllm, weights nf4"]
