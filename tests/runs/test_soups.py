"""Soups: the mean of weights, of adapters the mean of their updates, and a run made of runs that infers like any."""

import json
import math
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel

from common.core import verified_folder
from common.core.errors import UserError
from common.core.files import read_json, write_json
from common.data.competition_file import load_competition
from common.ensemble.recipe import Member, Recipe
from common.models import soup
from common.models.adapters import LoRAConfig, add_lora
from common.models.pretrained import PretrainedConfig, load_pretrained
from common.models.small import SmallModelConfig
from common.models.soup import require_alike
from common.models.storage import load_model, merge_adapters, save_model
from common.runs.candidates import read as read_candidates
from common.runs.record import read_record, stale_reasons, stale_training
from common.submission.submit import submit_blend
from tests.support import repository as repositories
from tests.support import tiny

WORDS = tiny.tokenizer()
TAGS = ("#Person1#", "#Person2#", "#PhoneNumber#")
IDS = torch.tensor([[5, 6, 7, 8, 9], [10, 11, 12, 13, 14]])


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDS_MODEL_CACHE", str(tmp_path_factory.mktemp("models")))
        yield


@torch.no_grad()
def logits(model: PreTrainedModel) -> torch.Tensor:
    if model.config.is_encoder_decoder:
        return model(input_ids=IDS, decoder_input_ids=IDS.flip(1)).logits
    return model(input_ids=IDS).logits


def saved(
    folder: Path, model: PreTrainedModel, words: Any = WORDS, base: PretrainedConfig | None = None
) -> Path:
    verified_folder.save(folder, lambda staging: save_model(model, words, staging, base))
    return folder


def mixed(folder: Path, *parts: Path) -> Path:
    named = {part.name: part for part in parts}
    require_alike(named)
    verified_folder.save(folder, lambda staging: soup.average(named, staging))
    return folder


# Whole models


@pytest.mark.parametrize("kind", ["bart", "qwen2"])
def test_a_soup_has_the_mean_of_all_weights(tmp_path: Path, kind: str) -> None:
    parts = [saved(tmp_path / f"run{seed}", tiny.model(kind, WORDS, seed=seed)) for seed in range(3)]
    found, words = load_model(mixed(tmp_path / "soup", *parts))
    assert words.get_vocab() == WORDS.get_vocab()
    assert found.get_output_embeddings().weight is found.get_input_embeddings().weight
    wanted = tiny.model(kind, WORDS, seed=9)
    own = [tiny.model(kind, WORDS, seed=seed).state_dict() for seed in range(3)]
    wanted.load_state_dict({name: torch.stack([o[name].double() for o in own]).mean(0) for name in own[0]})
    torch.testing.assert_close(logits(found), logits(wanted.eval()), rtol=0, atol=1e-6)
    assert not torch.allclose(logits(found), logits(load_model(parts[0])[0]), atol=1e-2)
    assert {path.suffix for path in (tmp_path / "soup").iterdir()} == {".json", ".safetensors"}


def test_a_soup_of_one_is_that_one_to_the_bit_and_keeps_16_bits(tmp_path: Path) -> None:
    part = saved(tmp_path / "run", tiny.model("qwen2", WORDS).to(torch.bfloat16))
    once = load_file(mixed(tmp_path / "soup", part) / "model.safetensors")
    for name, tensor in load_file(part / "model.safetensors").items():
        assert tensor.dtype == torch.bfloat16
        assert torch.equal(once[name], tensor), name


def test_shards_that_are_cut_otherwise_are_averaged_by_name(tmp_path: Path) -> None:
    whole = saved(tmp_path / "whole", tiny.model("qwen2", WORDS, seed=1))
    cut = tmp_path / "cut"
    cut.mkdir()
    tiny.model("qwen2", WORDS, seed=2).save_pretrained(cut, max_shard_size="60KB")
    WORDS.save_pretrained(cut)
    assert len(list(cut.glob("*.safetensors"))) > 1
    one, other = (load_model(mixed(tmp_path / name, *order))[0]
                  for name, order in (("a", (whole, cut)), ("b", (cut, whole))))  # fmt: skip
    assert len(list((tmp_path / "b").glob("*.safetensors"))) > 1
    torch.testing.assert_close(logits(one), logits(other), rtol=0, atol=0)


def _tokens(part: Path) -> None:
    tiny.tokenizer(380).save_pretrained(part)


def _shape(part: Path) -> None:
    tensors = load_file(part / "model.safetensors")
    name = "model.layers.0.mlp.up_proj.weight"
    save_file(tensors | {name: tensors[name][:5].clone()}, part / "model.safetensors")


def _extra(part: Path) -> None:
    tensors = load_file(part / "model.safetensors")
    save_file(tensors | {"more": torch.zeros(2)}, part / "model.safetensors")


def _setting(part: Path) -> None:
    config = read_json(part / "config.json")
    write_json(part / "config.json", config | {"rms_norm_eps": 0.5})


def _whole_numbers(part: Path) -> None:
    for place, value in ((part, 1), (part.with_name("one"), 2)):
        tensors = load_file(place / "model.safetensors")
        save_file(tensors | {"count": torch.tensor([value])}, place / "model.safetensors")


REFUSALS: dict[str, tuple[Callable[[Path], None], str]] = {
    "tokenizer": (
        _tokens,
        r"other and one cannot be averaged: other has another vocabulary \(380 tokens, 400",
    ),
    "shape": (_shape, r"tensor model\.layers\.0\.mlp\.up_proj\.weight as F32 5×64, F32 64×64 wanted"),
    "names": (_extra, r"other has a tensor more; leave one of them out of runs="),
    "config": (_setting, r"rms_norm_eps 0\.5 in config\.json, 1e-06 wanted"),
    "whole numbers": (_whole_numbers, r"other: count holds other whole numbers than one's"),
    "no model": (lambda part: (part / "model.safetensors").unlink(), r"other has no model whose weights"),
    "base alone": (lambda part: write_json(part / "base.json", {}), r"other trains nothing"),
}


@pytest.mark.parametrize("change", REFUSALS)
def test_models_that_differ_are_refused(tmp_path: Path, change: str) -> None:
    one, other = (saved(tmp_path / name, tiny.model("qwen2", WORDS)) for name in ("one", "other"))
    break_it, message = REFUSALS[change]
    break_it(other)
    with pytest.raises(UserError, match=message):
        mixed(tmp_path / "soup", one, other)
    assert not (tmp_path / "soup").exists()


def test_another_architecture_is_refused_and_another_dropout_is_not(tmp_path: Path) -> None:
    one, other = (saved(tmp_path / kind, tiny.model(kind, WORDS)) for kind in ("bart", "qwen2"))
    with pytest.raises(UserError, match=r"^qwen2 and bart cannot be averaged: qwen2 has .* in config\.json"):
        require_alike({"bart": one, "qwen2": other})
    size = SmallModelConfig(width=64, layers=1, feed_forward=64, dropout=0.3, positions=256)
    require_alike({"one": one, "other": saved(tmp_path / "dropout", tiny.model("bart", WORDS, size))})


# Adapters


def adapted(
    folder: Path, kind: str, lora: LoraConfig | LoRAConfig, seed: int, *, tags: bool = False
) -> tuple[Path, dict[str, torch.Tensor]]:
    """A saved adapter with random weights, and the weights of the whole model that it makes of its base."""
    base = PretrainedConfig(model=f"tiny:{kind}", dtype="float32")
    model, words = load_pretrained(base, frozen=True)
    if isinstance(lora, LoRAConfig):
        model = add_lora(model, words, replace(lora, added_tags=tags), TAGS)
    else:
        source = model.base_source
        model = get_peft_model(model, lora)
        model.get_base_model().base_source = source
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * (0.5 if "lora" in name else 0.1))
    saved(folder, model, words, base)
    return folder, merge_adapters(load_model(folder)[0]).state_dict()


LORAS: dict[str, tuple[Any, Any]] = {
    "alike": (LoRAConfig(rank=4, alpha=8), LoRAConfig(rank=4, alpha=8)),
    "ranks and scales": (LoRAConfig(rank=4, alpha=8), LoRAConfig(rank=2, alpha=3)),
    "layers": (LoRAConfig(rank=2, alpha=4, targets=("q_proj",)), LoRAConfig(rank=3, alpha=4, targets=("all",))),
    "rslora and patterns": (
        LoraConfig(r=4, lora_alpha=6, target_modules=["q_proj", "v_proj"], use_rslora=True),
        LoraConfig(r=2, lora_alpha=6, target_modules=["q_proj"], rank_pattern={"layers.0.self_attn.q_proj": 3},
                   alpha_pattern={r"layers\.1\..*": 5}),
    ),
    "an output layer trained whole": (
        LoraConfig(r=2, target_modules=["q_proj"], modules_to_save=["norm"]),
        LoraConfig(r=2, target_modules=["q_proj"], modules_to_save=["norm"]),
    ),
}  # fmt: skip


@pytest.mark.parametrize("loras", LORAS)
def test_a_soup_of_adapters_adds_the_mean_of_their_updates(tmp_path: Path, loras: str) -> None:
    first, second = LORAS[loras]
    made = [adapted(tmp_path / f"run{n}", "qwen2", lora, n) for n, lora in enumerate((first, second, first))]
    found, _ = load_model(mixed(tmp_path / "soup", *(folder for folder, _ in made)))
    assert isinstance(found, PeftModel)
    wanted, _ = load_pretrained(PretrainedConfig(model="tiny:qwen2", dtype="float32"), frozen=True)
    plain = logits(wanted)
    wanted.load_state_dict(
        {name: torch.stack([w[name].double() for _, w in made]).mean(0) for name in made[0][1]}
    )
    torch.testing.assert_close(logits(found), logits(wanted), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(logits(found), plain, atol=1e-2)
    halves = [load_file(folder / "adapter_model.safetensors") for folder, _ in made]
    if loras == "alike":  # A and B averaged apart are something else; side by side they stay as they were
        config, own = (read_json(f / "adapter_config.json") for f in (tmp_path / "soup", made[0][0]))
        assert (config["r"], config["lora_alpha"]) == (3 * own["r"], own["lora_alpha"])
        name = next(n for n in halves[0] if "lora_A" in n)
        together = load_file(tmp_path / "soup" / "adapter_model.safetensors")[name]
        assert torch.equal(together, torch.cat([half[name] for half in halves]))


@pytest.mark.parametrize("kind", ["bart", "gemma3"])
def test_rows_of_added_tags_are_averaged_too(tmp_path: Path, kind: str) -> None:
    made = [adapted(tmp_path / f"run{n}", kind, LoRAConfig(rank=2, alpha=4), n, tags=True) for n in range(2)]
    found, words = load_model(mixed(tmp_path / "soup", *(folder for folder, _ in made)))
    wanted, _ = load_model(made[0][0])
    wanted = merge_adapters(wanted)
    wanted.load_state_dict({name: (made[0][1][name].double() + made[1][1][name]) / 2 for name in made[0][1]})
    torch.testing.assert_close(logits(found), logits(wanted), rtol=1e-4, atol=1e-5)
    rows = words.convert_tokens_to_ids(list(TAGS))
    read, expected = (m.get_input_embeddings()(torch.tensor(rows)) for m in (found, wanted))
    torch.testing.assert_close(read, expected)


def test_adapters_without_an_exact_mean_are_refused(tmp_path: Path) -> None:
    q = {"r": 2, "target_modules": ["q_proj"]}
    plain, _ = adapted(tmp_path / "plain", "qwen2", LoraConfig(**q), 0)
    dora, _ = adapted(tmp_path / "dora", "qwen2", LoraConfig(**q, use_dora=True), 0)
    tags, _ = adapted(tmp_path / "tags", "qwen2", LoRAConfig(rank=2, targets=("q_proj",)), 0, tags=True)
    whole = saved(tmp_path / "whole", *load_pretrained(PretrainedConfig(model="tiny:qwen2"), frozen=False))
    for other, message in (
        (dora, r"^dora was trained with use_dora=True; the mean of such adapters is not exact"),
        (tags, r"^tags and plain cannot be averaged: tags has another vocabulary"),
        (whole, r"^whole and plain cannot be averaged: whole has a whole model, not adapters"),
    ):
        with pytest.raises(UserError, match=message):
            require_alike({"plain": plain, other.name: other})
    changed = shutil.copytree(plain, tmp_path / "changed")
    base = read_json(changed / "base.json")
    base["source"]["weights_sha256"] = "0" * 64
    write_json(changed / "base.json", base)
    with pytest.raises(UserError, match=r"changed has another base \(tiny:qwen2, by its weights_sha256"):
        require_alike({"plain": plain, "changed": changed})
    assert math.isfinite(float(logits(load_model(dora)[0]).sum()))


# Runs


def made(root: Path, *words: str) -> str:
    """The message with which a soup ends: "" when it succeeds."""
    try:
        repositories.stage(root, "exp002", "infer", "--soup", *words)
    except SystemExit as end:
        return str(end.code)
    return ""


def test_a_soup_infers_and_submits_and_is_stale_with_its_ingredients(trained_pair: Path) -> None:
    root, folder = trained_pair, trained_pair / "outputs/daily_talk/exp002-soup"
    code, output = tiny.run(root, "common", "soup", "--runs", "exp002 exp002-b", "--run", "exp002-soup")
    assert code == 0, output
    assert "outputs/daily_talk/exp002-soup: the mean of exp002, exp002-b (uniform)" in output
    assert "exp002 and exp002-b did not begin with the same weights" in output
    record = read_record(folder)["train"]
    assert list(record["soup"]["ingredients"]) == ["exp002", "exp002-b"]
    assert set(record["code"]) == {
        "common/runs/soups.py",
        "common/models/soup.py",
        "common/models/adapter_soup.py",
    }
    one, other, mean = (load_file(folder.with_name(run) / "best/model.safetensors")
                        for run in ("exp002", "exp002-b", "exp002-soup"))  # fmt: skip
    for name, tensor in mean.items():
        torch.testing.assert_close(tensor, (one[name] + other[name]) / 2)
    assert stale_training(folder) == []
    # Sampled, since models that hardly learned search for summaries that are empty, which submit refuses.
    repositories.stage(root, "exp002", "infer", "--run=exp002-soup", "--temperature=3", "--candidates=1")
    assert stale_reasons(folder) == []
    assert {len(group) for group in read_candidates(folder / "test" / "candidates.jsonl").values()} == {1}
    talk, recipe = load_competition("daily_talk"), Recipe("daily_talk", "daily_talk", "vote", (Member("exp002-soup", 1.0),), 1, "leaderboard")  # fmt: skip
    (root / "submissions").mkdir()
    assert submit_blend(recipe, talk, force=True).entry["stale"] == {}

    anew = [*tiny.SHORT, "--run=exp002-b", "--restart", "--learning-rate=0.001"]
    repositories.stage(root, "exp002", "train", *anew)
    assert stale_reasons(folder) == ["run outputs/daily_talk/exp002-b was trained anew"]
    command = 'make soup runs="exp002 exp002-b" run=exp002-soup method=uniform comp=daily_talk restart=1'
    for missing, expected in (
        ("stop", f"    run: {command} && make exp=exp002 infer run=exp002-soup"),
        (
            "train",
            f"exp002-soup: missing=train cannot make a soup; run: {command} && make submit missing=train",
        ),
    ):
        with pytest.raises(UserError, match=re.escape(expected)):
            submit_blend(recipe, talk, missing, force=True)
    assert made(root, "exp002 exp002-b", "--run=exp002-soup").startswith(
        "error: outputs/daily_talk/exp002-soup is there already; restart=1"
    )
    assert made(root, "exp002 exp002-b", "--run=exp002-soup", "--restart") == ""
    assert stale_reasons(folder) == ["infer has not finished"]
    assert len(list((folder.parent / "replaced").glob("exp002-soup-*"))) == 1
    shutil.rmtree(folder.with_name("exp002"))
    assert stale_training(folder) == ["run outputs/daily_talk/exp002 is gone"]


def test_a_greedy_soup_is_chosen_as_training_evaluates(
    trained_pair: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = trained_pair / "outputs" / "daily_talk"
    assert made(trained_pair, "exp002 exp002-b", "--run=exp002-soup", "--soup-method=greedy") == ""
    record = read_record(place / "exp002-soup")["train"]
    for run, score in record["notes"]["alone"].items():
        assert score == pytest.approx(read_record(place / run)["train"]["result"]["best_score"])
    tried = record["notes"]["soups"]["tried"]
    assert [len(t["ingredients"]) for t in tried] == [1, 2]
    assert tried[0]["dev"] == max(record["notes"]["alone"].values())
    assert tried[1]["taken"] == (tried[1]["dev"] >= tried[0]["dev"])
    assert "competitions/daily_talk/data/dev.csv" in record["data"]
    assert not (place / "exp002-soup" / "trial").exists()
    assert "chosen on dev among 2 soups: its dev score flatters it." in capsys.readouterr().out


def test_a_greedy_soup_takes_what_does_not_lower_the_dev_score(
    trained_pair: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = trained_pair / "outputs" / "daily_talk"
    shutil.copytree(place / "exp002-b", place / "exp002-c")
    scores = {"exp002": [5.0], "exp002-b": [7.0], "exp002-c": [6.0], "trial": [7.0, 6.9]}
    monkeypatch.setattr(
        "common.runs.soups._dev_score", lambda _run, folder, _work: scores[folder.name].pop(0)
    )
    names = "exp002 exp002-b exp002-c"
    assert made(trained_pair, names, "--run=exp002-soup", "--soup-method=greedy", "--dev-rows=3") == ""
    record = read_record(place / "exp002-soup")["train"]
    assert record["notes"]["soups"]["tried"] == [
        {"ingredients": ["exp002-b"], "dev": 7.0, "taken": True},
        {"ingredients": ["exp002-b", "exp002-c"], "dev": 7.0, "taken": True},
        {"ingredients": ["exp002-b", "exp002-c", "exp002"], "dev": 6.9, "taken": False},
    ]
    assert [name for name, part in record["soup"]["ingredients"].items() if part["taken"]] == [
        "exp002-b",
        "exp002-c",
    ]
    assert (record["config"]["dev_rows"], record["soup"]["arguments"]) == (3, ["--dev_rows=3"])
    made_of, part = (
        load_file(place / run / "best" / "model.safetensors") for run in ("exp002-soup", "exp002-b")
    )
    assert all(torch.equal(made_of[name], part[name]) for name in part)  # b and c are one and the same


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["exp002"], 'runs="exp002": wanted two different runs or more'),
        (["exp002 exp002-z"], "outputs/daily_talk/exp002-z has not been trained; first run: make exp=exp002 train run=exp002-z"),
        (["exp002 exp001"], "exp001 is no run of exp002"),
        (["exp002 exp002-b", "--run=exp002-b", "--restart"], "exp002-b would be an ingredient of itself"),
        (["exp002 exp002-b", "--width=32"], "--model.width: the ingredients were trained"),
        (["exp002 exp002-b", "--soup-method=best"], "method 'best': wanted one of uniform, greedy"),
    ],
)  # fmt: skip
def test_a_soup_that_cannot_be_is_refused_with_one_message(
    trained_pair: Path, words: list[str], message: str
) -> None:
    words = [*words] if any(w.startswith("--run") for w in words) else [*words, "--run=exp002-soup"]
    said = made(trained_pair, *words)
    assert said.startswith("error: ")
    assert message in said
    place = trained_pair / "outputs" / "daily_talk"
    assert sorted(path.name for path in place.iterdir() if not path.name.endswith(".lock")) == [
        "exp002",
        "exp002-b",
    ]


def test_a_soup_is_never_trained(trained_pair: Path) -> None:
    assert made(trained_pair, "exp002 exp002-b", "--run=exp002-soup") == ""
    before = json.dumps(read_record(trained_pair / "outputs/daily_talk/exp002-soup"))
    for more in ([], ["--restart"], ["--renew"]):
        with pytest.raises(
            SystemExit, match=r"exp002-soup is a soup and cannot be trained; make it anew with: make soup"
        ):
            repositories.stage(trained_pair, "exp002", "train", "--run=exp002-soup", *more)
    assert json.dumps(read_record(trained_pair / "outputs/daily_talk/exp002-soup")) == before
