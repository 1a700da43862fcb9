"""`make import-adapter`: an adapter of plain PEFT becomes a run that writes what plain PEFT writes, or is refused in one line."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from common import prompts
from common.core.files import sha256_file
from common.prompts import PromptConfig
from common.prompts.cleaning import final_answer
from common.runs import candidates
from common.runs.record import MADE_ELSEWHERE, read_record, stale_training
from common.tokenization.tokenizer import load_tokenizer
from tests.support import tiny
from tests.support.adapted import louder

COMPETITION = "--competition=daily_talk"
SETTINGS = ["--quantization=none", "--max-new-tokens=8", "--samples=0"]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Path:
    return tiny.repository(tmp_path_factory.mktemp("copy") / "repository", train_rows=12, other_rows=4)


@pytest.fixture(scope="module")
def base(model_cache: Path) -> Path:
    return louder("qwen2")


def adapter(base: Path, folder: Path, *, tokenizer: bool = False, **settings: Any) -> Path:
    """Save an adapter with random weights as plain PEFT does, or as TRL does: with the tokenizer."""
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    torch.manual_seed(3)
    chosen = {
        "task_type": "CAUSAL_LM",
        "r": 4,
        "lora_alpha": 16,
        "target_modules": ["q_proj", "v_proj"],
    } | settings
    peft = get_peft_model(model, LoraConfig(**chosen))
    with torch.no_grad():
        for name, parameter in peft.named_parameters():
            if "lora_" in name or "modules_to_save" in name:
                parameter.add_(torch.randn_like(parameter) * 0.2)
    peft.save_pretrained(folder)
    if tokenizer:
        load_tokenizer(base).save_pretrained(folder)
    return folder


def imported(root: Path, source: Path, base: Path | str, run: str, *settings: str) -> tuple[int, str]:
    return tiny.call(
        root,
        "common",
        "import-adapter",
        COMPETITION,
        f"--from={source}",
        f"--base={base}",
        "--",
        run,
        *settings,
    )


def plainly_written(base: Path, source: Path, dialogues: list[str]) -> list[str]:
    """Return what transformers and PEFT alone write: greedy, 8 tokens, tidied as every answer is."""
    tokenizer = load_tokenizer(base)
    model = PeftModel.from_pretrained(
        AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), source
    ).eval()
    texts = []
    for dialogue in dialogues:
        prompt = prompts.prompt(config=PromptConfig(style="trained"))
        text = tokenizer.apply_chat_template(
            prompt.chat(dialogue), tokenize=False, add_generation_prompt=True
        )
        ids = tokenizer(text, return_tensors="pt", add_special_tokens=False).input_ids
        made = model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=8, do_sample=False
        )
        texts.append(final_answer(tokenizer.decode(made[0, ids.shape[1] :], skip_special_tokens=True)))
    return texts


@pytest.mark.parametrize(
    ("name", "tokenizer", "settings"),
    [
        ("trl", True, {}),
        (
            "plain",
            False,
            {"target_modules": r".*self_attn\.(q|k|v|o)_proj", "use_rslora": True, "use_dora": True},
        ),
        ("unsloth", False, {"target_modules": ["q_proj", "down_proj"], "rank_pattern": {"down_proj": 2}}),
        ("saved", False, {"modules_to_save": ["embed_tokens", "lm_head"], "lora_alpha": 8.5}),
        ("parameters", False, {"target_modules": [], "target_parameters": ["mlp.down_proj.weight"]}),
    ],
)
def test_an_imported_adapter_writes_what_plain_peft_writes(
    copy: Path, base: Path, tmp_path: Path, name: str, tokenizer: bool, settings: dict[str, Any]
) -> None:
    source = adapter(base, tmp_path / name, tokenizer=tokenizer, **settings)
    run = f"exp012-{name}"
    code, output = imported(copy, source, base, run, *SETTINGS)
    assert code == 0, output
    assert f"alpha {settings.get('lora_alpha', 16)}, layers" in output
    assert (
        "--max-source-tokens 2048" in output
        and "--quantization" not in output.split("assumed:")[1].split(".")[0]
    )
    folder = copy / "outputs" / "daily_talk" / run
    train = read_record(folder)["train"]
    about = train["notes"][MADE_ELSEWHERE]
    assert about["files"]["adapter_model.safetensors"] == sha256_file(source / "adapter_model.safetensors")
    assert about["tokenizer"] == ("adapter" if tokenizer else "base")
    assert str(tmp_path) not in (folder / "run.json").read_text(encoding="utf-8")
    code, output = tiny.call(copy, "common", "infer", "exp012", COMPETITION, f"--run={run}", "--merge=false")
    assert code == 0, output
    rows = tiny.rows(4, "test", seed=2)
    found = candidates.read(folder / "test" / "candidates.jsonl")
    wanted = plainly_written(base, source, [row.dialogue for row in rows])
    assert [found[row.id][0].text for row in rows] == wanted
    assert len(set(wanted)) > 1 or any(wanted)
    code, output = tiny.call(
        copy,
        "common",
        "predict",
        COMPETITION,
        "--from=competitions/daily_talk/data/test.csv",
        f"--to={tmp_path}/x.csv",
        "--",
        run,
    )
    assert code == 0, output
    assert (tmp_path / "x.csv").read_bytes() == (folder / "test" / "predictions.csv").read_bytes()


def test_it_merges_and_is_never_trained_again_by_itself(copy: Path, base: Path, tmp_path: Path) -> None:
    source = adapter(base, tmp_path / "adapter")
    code, output = imported(copy, source, base, "exp007-merged", *SETTINGS)
    assert code == 0, output
    code, output = tiny.call(copy, "common", "merge", COMPETITION, "exp007-merged")
    assert code == 0, output
    folder = copy / "outputs" / "daily_talk" / "exp007-merged"
    (folder / "best" / "adapter_config.json").write_text("{}", encoding="utf-8")
    assert stale_training(folder)
    train = read_record(folder)["train"]
    words = [
        f"--{name}={','.join(v) if isinstance(v, list) else v}" for name, v in train["overrides"].items()
    ]
    code, output = tiny.call(
        copy, "common", "train", "exp007", COMPETITION, "--run=exp007-merged", "--renew", *words
    )
    assert code == 1 and "was trained elsewhere and imported" in output, output
    assert (folder / "best" / "adapter_model.safetensors").exists()


def changed(source: Path, **values: Any) -> None:
    path = source / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | values), encoding="utf-8")


def rewritten(source: Path, change: Any) -> None:
    path = source / "adapter_model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


def added_token(source: Path, base: Path) -> None:
    tokenizer = load_tokenizer(base)
    tokenizer.add_tokens(["<new>"])
    tokenizer.save_pretrained(source)


def pickled(source: Path) -> None:
    torch.save(load_file(source / "adapter_model.safetensors"), source / "adapter_model.bin")
    (source / "adapter_model.safetensors").unlink()


LAYER = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
WRONG = {
    "no folder": (lambda s, b: shutil.rmtree(s), "not there"),
    "no config": (lambda s, b: (s / "adapter_config.json").unlink(), "no adapter_config.json"),
    "no weights": (lambda s, b: (s / "adapter_model.safetensors").unlink(), "no adapter_model.safetensors"),
    "pickled": (lambda s, b: pickled(s), "pickled weights"),
    "not LoRA": (lambda s, b: changed(s, peft_type="IA3"), "wanted LORA"),
    "task": (lambda s, b: changed(s, task_type="SEQ_CLS"), "does not write text"),
    "other task": (lambda s, b: changed(s, task_type="SEQ_2_SEQ_LM"), "wanted CAUSAL_LM"),
    "pissa": (lambda s, b: changed(s, init_lora_weights="pissa_niter_4"), "changed the weights of the base"),
    "rank": (lambda s, b: changed(s, r=8), "has the shape [4, 64], wanted [8, 64]"),
    "no rank": (lambda s, b: changed(s, r=None), "r is None, wanted a whole number from 1"),
    "alpha": (lambda s, b: changed(s, lora_alpha=float("nan")), "lora_alpha is nan, wanted a number above 0"),
    "dropout": (lambda s, b: changed(s, lora_dropout="x"), "lora_dropout is 'x', wanted a number"),
    "aLoRA": (lambda s, b: changed(s, alora_invocation_tokens=[5]), "alora_invocation_tokens is set"),
    "not a number": (
        lambda s, b: rewritten(s, lambda t: t.update({LAYER: t[LAYER] * float("nan")})), "has a NaN or an infinite number",
    ),
    "8 bits": (lambda s, b: rewritten(s, lambda t: t.update({LAYER: t[LAYER].to(torch.int8)})), "has the type 'I8'"),
    "template": (lambda s, b: (s / "chat_template.jinja").write_bytes(b"\xff"), "chat_template.jinja: is not UTF-8 text"),
    "pipe": (
        lambda s, b: ((s / "adapter_model.safetensors").unlink(), os.mkfifo(s / "adapter_model.safetensors")),
        "it is a named pipe, wanted a file",
    ),
    "layers": (lambda s, b: changed(s, target_modules=["q_proj"]), "which this base does not have"),
    "no such layer": (lambda s, b: changed(s, target_modules=["c_attn"]), "PEFT cannot put this adapter on"),
    "missing tensor": (lambda s, b: rewritten(s, lambda t: t.pop(LAYER)), "lacks 1 tensor"),
    "images": (
        lambda s, b: rewritten(s, lambda t: t.update({f"base_model.model.visual.{LAYER[17:]}": t[LAYER].clone()})),
        "layers for images",
    ),
    "embeddings": (
        lambda s, b: rewritten(s, lambda t: t.update({"base_model.model.model.embed_tokens.weight": torch.ones(2, 2)})),
        "whole embeddings",
    ),
    "embeddings of LoRA": (
        lambda s, b: rewritten(s, lambda t: t.update({"base_model.model.lm_head.base_layer.weight": torch.ones(2, 2)})),
        "whole embeddings",
    ),
    "truncated": (
        lambda s, b: (s / "adapter_model.safetensors").write_bytes((s / "adapter_model.safetensors").read_bytes()[:-9]),
        "copy it again",
    ),
    "added token": (added_token, "have no embedding in the base"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_used_is_refused_in_one_line(
    copy: Path, base: Path, tmp_path: Path, case: str
) -> None:
    source = adapter(base, tmp_path / "adapter")
    damage, part = WRONG[case]
    damage(source, base)
    code, output = imported(copy, source, base, "exp012-wrong", *SETTINGS)
    (line,) = [line for line in output.strip().splitlines() if not line.startswith("loading")]
    assert code == 1 and line.startswith("error: ") and part in line, output
    assert not (copy / "outputs" / "daily_talk" / "exp012-wrong").exists()


def test_another_base_run_or_setting_is_refused(copy: Path, base: Path, tmp_path: Path) -> None:
    source = adapter(base, tmp_path / "adapter")
    changed(source, base_model_name_or_path="unsloth/Qwen2.5-7B-Instruct-unsloth-bnb-4bit")
    for wrong, run, settings, part in (
        ("Qwen/Qwen2.5-7B", "exp012-wrong", [], "the adapter was trained on"),
        (tmp_path / "nowhere", "exp012-wrong", [], "neither an existing folder nor a hub id"),
        ("tiny:bart", "exp012-wrong", [], "cannot be used here"),
        (base, "exp012", [], "a hyphen and a name"),
        (base, "exp001-wrong", [], "trains no adapters"),
        (base, "exp099-wrong", [], "exp099"),
        (base, "exp012-wrong", ["--rank=3"], "leave it out"),
        (base, "exp012-wrong", ["--style=nowhere"], "nowhere"),
        (base, "exp012-wrong", ["--max-source-token=3"], "max-source-tokens"),
    ):
        code, output = imported(copy, source, wrong, run, *settings)
        assert code == 1 and part in output and output.count("error: ") == 1, (wrong, run, output)
        assert not [*(copy / "outputs" / "daily_talk").glob("*wrong*")]
    code, output = imported(copy, source, base, "exp014-bnb", "--max-new-tokens=8")
    assert code == 0, output
    config = read_record(copy / "outputs" / "daily_talk" / "exp014-bnb")["train"]["config"]
    assert (config["base.quantization"], config["lora.rank"], config["base.gpu_memory"]) == ("nf4", 4, 0)


def test_a_missing_chat_template_is_asked_for_by_name(copy: Path, base: Path, tmp_path: Path) -> None:
    plain = shutil.copytree(base, tmp_path / "plain")
    template = load_tokenizer(base).chat_template
    for name in ("chat_template.jinja", "tokenizer_config.json"):
        (plain / name).unlink(missing_ok=True)
    config = json.loads((base / "tokenizer_config.json").read_text(encoding="utf-8"))
    config.pop("chat_template", None)
    (plain / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    source = adapter(base, tmp_path / "adapter")
    code, output = imported(copy, source, plain, "exp012-asked", *SETTINGS)
    assert code == 1 and "neither the adapter nor its base has a chat template" in output, output
    assert not (copy / "outputs" / "daily_talk" / "exp012-asked").exists()
    (source / "chat_template.jinja").write_text(str(template), encoding="utf-8")
    code, output = imported(copy, source, plain, "exp012-asked", *SETTINGS)
    assert code == 0 and "chat template: adapter's, another one than the base's" in output, output


def test_files_that_trainers_leave_beside_an_adapter_do_not_matter(
    copy: Path, base: Path, tmp_path: Path
) -> None:
    """TRL and LLaMA-Factory write into one folder the adapter, its tokenizer, logs, and checkpoints that hold adapters too."""
    source = adapter(base, tmp_path / "out", tokenizer=True)
    adapter(base, source / "checkpoint-10")
    for name in ("README.md", "training_args.bin", "trainer_log.jsonl", "all_results.json", "optimizer.pt"):
        (source / name).write_text("x", encoding="utf-8")
    # As Unsloth writes it, and a newer PEFT.
    changed(
        source,
        auto_mapping={"base_model_class": "X", "unsloth_fixed": True},
        peft_version="99.0",
        key_of_99={},
    )
    code, output = imported(copy, source, base, "exp012-trainers", *SETTINGS)
    assert code == 0, output
    names = {path.name for path in (copy / "outputs/daily_talk/exp012-trainers/best").iterdir()}
    assert not names & {"training_args.bin", "checkpoint-10", "README.md"}
    shutil.rmtree(source / "checkpoint-10")
    (tmp_path / "outer").mkdir()
    source.rename(tmp_path / "outer" / "checkpoint-20")
    code, output = imported(copy, tmp_path / "outer", base, "exp012-outer", *SETTINGS)
    assert code == 1 and 'Its folders "checkpoint-20" have one' in output, output
