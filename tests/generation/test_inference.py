"""Inference: pooled candidates, a decoding chosen on dev, settings that go together."""

import importlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from common.core.files import read_json
from common.models.config import PretrainedConfig
from common.models.hub import PINNED
from common.runs.candidates import Candidate, read
from tests.support import tiny


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.repository(tmp_path_factory.mktemp("copy") / "repository", train_rows=24, other_rows=4)


def test_two_prompts_pool_their_candidates(copy: Path) -> None:
    for stage in ("train", "infer"):
        code, output = tiny.call(copy, f"experiments.exp005.{stage}", "--smoke", "--competition=daily_talk")
        assert code == 0, output
    folder = copy / "outputs" / "smoke" / "daily_talk" / "exp005" / "dev"
    pooled = read(folder / "candidates.jsonl")
    parts = [read(folder / f"prompt-{number}.jsonl") for number in range(2)]
    assert pooled == {name: parts[0][name] + parts[1][name] for name in pooled}
    assert {len(group) for group in pooled.values()} == {4}
    record = read_json(folder.parent / "run.json")["infer"]
    assert record["notes"]["tokens_at_once"] == 16384  # what `auto` was on this CPU
    assert {split: note["summaries"] for split, note in record["notes"]["cut"].items()} == {
        "dev": 16,
        "test": 16,
    }
    assert "were cut off" not in output  # a smoke run's model never ends a summary
    assert record["notes"]["shots_dropped"] == [{"shots": 0, "dialogues": 0}] * 2
    base = json.loads((folder.parent / "best" / "base.json").read_text(encoding="utf-8"))
    assert base["source"]["model"] == "tiny:qwen2"
    assert not list((folder.parent / "best").glob("*.safetensors"))
    before = (folder / "candidates.jsonl").read_bytes()
    code, output = tiny.call(copy, "experiments.exp005.infer", "--smoke", "--competition=daily_talk",
                            "--max-new-tokens=4097")  # fmt: skip
    assert code == 1
    assert (
        output.strip()
        .splitlines()[-1]
        .startswith(
            "error: this model's context is 8192 tokens, which --max-source-tokens 4096 and --max-new-tokens 4097 exceed; lower"
        )
    )
    assert (folder / "candidates.jsonl").read_bytes() == before


def test_a_trained_model_is_asked_with_several_prompts(copy: Path) -> None:
    """The styles of inference are no setting of the checkpoint; notes and settings say how prompts were rendered."""
    words = ("--smoke", "--competition=daily_talk")
    code, output = tiny.call(copy, "experiments.exp012.train", *words)
    assert code == 0, output
    folder = copy / "outputs" / "smoke" / "daily_talk" / "exp012"
    train = read_json(folder / "run.json")["train"]
    assert (train["config"]["prompt.style"], train["config"]["prompt.date"]) == ("trained", "2024-07-26")
    assert train["notes"]["chat"] == {"system_role": True}
    one: list[dict[str, list[Candidate]]] = []
    for styles in ((), ("trained", "one_sentence"), ("outcome",)):
        code, output = tiny.call(copy, "experiments.exp012.infer", *words, f"--styles={','.join(styles)}")
        assert code == 0, output
        one.append(read(folder / "dev" / "candidates.jsonl"))
    first, both, other = one
    assert {len(group) for group in first.values()} == {2}
    assert {name: group[:2] for name, group in both.items()} == first
    assert {len(group) for group in both.values()} == {4}
    assert other != first
    for wrong, line in (
        ("haiku", "there is no style 'haiku'"),
        ("trained,trained", "the style trained is named twice"),
    ):
        code, output = tiny.call(copy, "experiments.exp012.infer", *words, f"--styles={wrong}")
        assert code == 1
        assert line in output.strip().splitlines()[-1]


def test_the_settings_of_a_local_prompt_are_refused_for_an_api(copy: Path) -> None:
    for setting in ("--thinking", "--date=2025-01-01"):
        code, output = tiny.call(
            copy, "experiments.exp006.train", "--smoke", "--competition=daily_talk", setting
        )
        assert code == 1
        assert "error: --thinking and --date only apply to models on this machine" in output


def test_a_topic_is_shown_to_the_model(copy: Path) -> None:
    words = ("--smoke", "--competition=daily_talk")
    code, output = tiny.call(copy, "experiments.exp002.train", *words, "--topic")
    assert code == 0, output
    folder = copy / "outputs" / "smoke" / "daily_talk" / "exp002"
    code, output = tiny.call(copy, "experiments.exp002.infer", *words)
    assert code == 0, output
    record = read_json(folder / "run.json")["infer"]
    assert record["config"]["topic"] is True
    assert any(path.endswith("train.csv") for path in record["data"])  # topics are guessed from it


def test_the_decoding_grid_is_on_record_and_its_best_is_used(copy: Path) -> None:
    for stage in ("train", "infer"):
        code, output = tiny.call(copy, f"experiments.exp009.{stage}", "--smoke", "--competition=daily_talk")
        assert code == 0, output
    folder = copy / "outputs" / "smoke" / "daily_talk" / "exp009"
    note = json.loads((folder / "run.json").read_text(encoding="utf-8"))["infer"]["notes"]["decoding_grid"]
    assert note["tried"] == len(note["table"]) == 2
    assert [p.name for p in sorted((folder / "grid").glob("setting-?.jsonl"))] == [
        "setting-0.jsonl",
        "setting-1.jsonl",
    ]
    before = [path.read_bytes() for path in sorted((folder / "grid").glob("setting-?.jsonl"))]
    code, output = tiny.call(copy, "experiments.exp009.infer", "--smoke", "--competition=daily_talk",
                            "--max-new-tokens=2049")  # fmt: skip
    assert code == 1
    assert (
        "error: this model's context is 2048 tokens" in output and "or --max-new-tokens 2049 exceed" in output
    )
    assert [path.read_bytes() for path in sorted((folder / "grid").glob("setting-?.jsonl"))] == before


def test_what_does_not_go_together_is_refused_before_any_work(copy: Path) -> None:
    code, output = tiny.call(copy, "experiments.exp012.train", "--competition=daily_talk", "--r-drop=1",
                            "--source-loss=0.2", "--run=exp012-both")  # fmt: skip
    assert code == 1
    assert "error: --r-drop and --source-loss cannot be combined" in output
    assert not (copy / "outputs" / "daily_talk" / "exp012-both" / "run.json").exists()


def test_a_pinned_model_is_asked_for_by_its_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    pretrained = importlib.import_module(
        "common.models.pretrained"
    )  # the package has a function of that name
    asked = []
    monkeypatch.setattr(
        "common.models.hub.locate", lambda name, revision, kind, check: asked.append((name, revision))
    )
    config = PretrainedConfig(model="Qwen/Qwen2.5-14B-Instruct")
    pretrained.locate(config)
    pretrained.locate(replace(config, revision="b" * 40))
    pretrained.locate(replace(config, model="somebody/other"))
    assert [revision for _, revision in asked] == [
        PINNED["Qwen/Qwen2.5-14B-Instruct"],
        "b" * 40,
        None,
    ]
