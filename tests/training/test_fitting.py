"""Training of an experiment: the texts of the loss, the context, and what is refused before any work."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import pytest
from transformers import BartConfig, PreTrainedConfig, Qwen2Config, T5Config

from common.core.errors import UserError
from common.data.competition_file import load_competition
from common.data.rows import read_split
from common.data.sampled_rows import sampled_rows
from common.generation.config import DecodingConfig
from common.generation.hf import decode
from common.generation.inference import require_context
from common.models.config import PretrainedConfig
from common.models.pretrained import load_pretrained
from common.runs.record import read_record
from common.tokenization.config import LengthConfig
from common.tokenization.examples import training_examples
from common.tokenization.layout import text_template
from common.training import fitting
from experiments.exp002.config import Config
from tests.support import tiny


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.repository(tmp_path_factory.mktemp("copy") / "repository", train_rows=24, other_rows=4)


def test_the_loss_is_over_the_texts_given_and_all_that_training_reads(tmp_path: Path) -> None:
    model, made = load_pretrained(PretrainedConfig(model="tiny:qwen2"), frozen=False)
    rows = tiny.rows(3)
    template = text_template(made, "읽고", "요약:")
    examples, _ = training_examples(rows, made, LengthConfig(), template, cache=tmp_path)
    model.generation_config.eos_token_id = [made.eos_token_id, 300]
    found = fitting._allowed_tokens(model, made, ["전혀 다른 말"], examples)
    every = (made("전혀 다른 말").input_ids, *examples["source"], *examples["target"], [300])
    assert found == {token for ids in every for token in ids}
    assert made.eos_token_id in found and len(found) < len(made)
    assert fitting._allowed_tokens(model, made, [], examples) == set()  # no texts: the whole vocabulary


def test_training_sees_the_token_that_decoding_forces_a_summary_to_begin_with(copy: Path) -> None:
    """BART's checkpoints force <s>; without it in training, a summary would continue from a place never trained."""
    forced = copy.parent / "forced"
    model, tokenizer = load_pretrained(PretrainedConfig(model="tiny:bart"), frozen=False)
    model.generation_config.forced_bos_token_id = tokenizer.bos_token_id
    model.save_pretrained(forced)
    tokenizer.save_pretrained(forced)
    code, output = tiny.call(
        copy, "experiments.exp003.train", "--competition=daily_talk", f"--model={forced}", "--dev-rows=2",
        "--epochs=1", "--max-source-tokens=200", "--max-new-tokens=8", "--candidates=1", "--beams=1", "--samples=0",
    )  # fmt: skip
    assert code == 0, output
    cached = list((copy / ".cache" / "tokenized").iterdir())
    targets = [target for folder in cached for target in datasets.load_from_disk(folder)["target"]]
    assert len(targets) == 24 and {target[0] for target in targets} == {tokenizer.bos_token_id}


def test_training_is_scored_on_the_dev_rows_that_the_seed_chooses(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not on the first ones; run.json says which."""
    scored: list[list[str]] = []
    given = fitting.dev_evaluation

    def seen(competition: Any, rows: Any, *others: Any) -> Any:
        scored.append([row.id for row in rows])
        return given(competition, rows, *others)

    monkeypatch.setattr(fitting, "dev_evaluation", seen)
    words = [
        *tiny.SETTINGS,
        "--epochs=0.5",
        "--max-new-tokens=4",
        "--beams=1",
        "--candidates=1",
        "--samples=0",
    ]
    monkeypatch.setenv("KDS_ROOT", str(copy))
    dev = read_split(load_competition("daily_talk"), "dev").rows
    for seed, count in ((7, 2), (11, 2), (7, 4)):
        run = f"exp002-seed{seed}.{count}"
        code, output = tiny.call(
            copy, "experiments.exp002.train", *words, f"--run={run}", f"--seed={seed}", f"--dev-rows={count}"
        )
        assert code == 0, output
        wanted = [row.id for row in sampled_rows(dev, count, seed)]
        assert scored[-1] == wanted
        notes = read_record(copy / "outputs" / "daily_talk" / run)["train"]["notes"]
        assert notes.get("dev_rows") == ({"seed": seed, "of": 4, "ids": wanted} if count < 4 else None)
    assert scored[0] != scored[1] and len(dev) == 4 == len(scored[2])


def test_what_the_model_cannot_read_is_refused_before_training(copy: Path) -> None:
    code, output = tiny.call(copy, "experiments.exp003.train", "--smoke", "--competition=daily_talk",
                            "--max-source-tokens=5000")  # fmt: skip
    assert code == 1
    assert (
        "error: this model's context is 2048 tokens, which --max-source-tokens 5000 or --max-new-tokens 8 exceed"
        in output
    )


@pytest.mark.parametrize(
    ("model", "source", "summary", "fits"),
    [
        (Qwen2Config(max_position_embeddings=100), 60, 40, True),
        (Qwen2Config(max_position_embeddings=100), 60, 41, False),
        (BartConfig(max_position_embeddings=100), 100, 100, True),
        (BartConfig(max_position_embeddings=100), 101, 40, False),
        (BartConfig(max_position_embeddings=100), 60, 101, False),
        (T5Config(), 10**6, 10**6, True),  # relative positions: no limit
    ],
)
def test_source_and_summary_fit_the_context(
    model: PreTrainedConfig, source: int, summary: int, fits: bool
) -> None:
    config = replace(Config(), lengths=LengthConfig(source), decoding=DecodingConfig(max_new_tokens=summary))
    if fits:
        require_context(model, config)
        return
    with pytest.raises(
        UserError, match=f"this model's context is 100 tokens, .* {source} .* {summary} exceed"
    ):
        require_context(model, config)


@pytest.mark.parametrize(("kind", "room"), [("bart", 0), ("qwen2", 5)])
def test_the_context_is_just_enough_for_what_is_let_through(kind: str, room: int) -> None:
    tokenizer = tiny.tokenizer()
    model = tiny.model(kind, tokenizer, replace(tiny.SIZE, positions=32)).eval()
    model.lm_head.weight.data[tokenizer.eos_token_id] = 0  # summaries as long as they may be
    config = replace(
        Config(), lengths=LengthConfig(room or 32), decoding=DecodingConfig(max_new_tokens=32 - room)
    )
    require_context(model.config, config)
    greedy = replace(config.decoding, candidates=1, beams=1)
    ((found,),) = decode(model, tokenizer, [[7] * (room or 32)], greedy)
    assert found.tokens == 32 - room


@pytest.mark.parametrize(("experiment", "model"), [("exp003", "tiny:qwen2"), ("exp007", "tiny:bart")])
def test_a_model_of_the_other_architecture_is_refused(copy: Path, experiment: str, model: str) -> None:
    code, output = tiny.call(copy, f"experiments.{experiment}.train", "--smoke", "--competition=daily_talk",
                            f"--model={model}")  # fmt: skip
    assert code == 1
    assert output.count("error:") == 1 and "cannot be used here; wanted" in output


def test_a_gpu_recipe_says_so_before_any_work(copy: Path) -> None:
    code, output = tiny.call(copy, "experiments.exp012.train", "--competition=daily_talk")
    assert code == 1
    line = output.strip().splitlines()[-1]
    assert line.startswith(
        "error: Qwen/Qwen2.5-7B-Instruct needs a GPU with 15 GB and this machine has no GPU."
    )
    assert "--gpu-memory 0" in line and "exp010" in line
