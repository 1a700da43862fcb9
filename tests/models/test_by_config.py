"""What an architecture does not allow is read from config.json, as the loaded model would say it, without importing anything."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from common.core.errors import UserError
from common.models.by_config import expert_names, require_dropout, require_liger
from common.models.config import LoRAConfig
from common.models.text_parts import expert_parameters
from tests.support import REPOSITORY, architectures
from tests.support.hub_server import Home, Hub, served

ALL = LoRAConfig(targets=("all",))
MOE = {"model_type": "qwen3_moe", "num_experts": 4, "num_hidden_layers": 2}
TABLE = """
def apply_liger_kernel_to_instance(model):
    MODEL_TYPE_TO_APPLY_LIGER_FN.get(model)

# Model type corresponds to the keys defined in transformers
MODEL_TYPE_TO_APPLY_LIGER_FN = {
    "qwen3": apply_liger_kernel_to_qwen3,
    "gemma3_text": apply_liger_kernel_to_gemma3_text,
    "bart": apply_liger_kernel_to_bart,
}
"""


def written(folder: Path, **config: object) -> Path:
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


@pytest.mark.parametrize("kind", architectures.BUILD)
def test_the_experts_are_those_of_the_model(kind: str, tmp_path: Path) -> None:
    model = architectures.BUILD[kind]()
    model.config.save_pretrained(tmp_path)
    found = expert_names(tmp_path)
    assert found == {name.rpartition(".")[2] for name in expert_parameters(model)}
    if not found:
        require_dropout(tmp_path, ALL)
        return
    with pytest.raises(
        UserError, match=r"^--dropout 0\.05: adapters of the experts of \w+ \(--targets all\) cannot use"
    ):
        require_dropout(tmp_path, ALL)


@pytest.mark.parametrize(
    ("targets", "dropout", "refused"),
    [
        (("all",), 0.05, True),
        (("attention", "down_proj"), 0.05, True),
        (("gate_up_proj",), 0.1, True),
        (("attention",), 0.05, False),
        (("q_proj", "gate"), 0.05, False),
        (("all",), 0.0, False),
    ],
)
def test_dropout_is_refused_where_experts_get_adapters(
    tmp_path: Path, targets: tuple[str, ...], dropout: float, refused: bool
) -> None:
    folder, config = written(tmp_path, **MOE), LoRAConfig(targets=targets, dropout=dropout)
    if not refused:
        require_dropout(folder, config)
        return
    with pytest.raises(
        UserError, match=rf"^--dropout {dropout}: .*use --dropout 0, or .* --targets attention\.$"
    ):
        require_dropout(folder, config)


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "qwen3", "num_hidden_layers": 2},
        {"model_type": "qwen3_moe", "num_experts": 0},
        {"model_type": "gemma4_text", "num_experts": 8, "enable_moe_block": False},
        {
            "model_type": "deepseek_v3",
            "n_routed_experts": 8,
            "first_k_dense_replace": 3,
            "num_hidden_layers": 3,
        },
        {"model_type": "../../secret", "num_experts": 8},
        {"num_experts": 8},
    ],
)
def test_a_model_without_experts_is_not_refused(tmp_path: Path, config: dict[str, object]) -> None:
    require_dropout(written(tmp_path, **config), ALL)


def test_experts_inside_a_multimodal_model_are_found(tmp_path: Path) -> None:
    inner = {"model_type": "qwen3_5_moe_text", "num_experts": 8}
    assert expert_names(written(tmp_path, model_type="qwen3_5_moe", text_config=inner)) == {
        "gate_up_proj",
        "down_proj",
    }


@pytest.mark.parametrize(
    ("config", "refused"),
    [
        ({"model_type": "qwen3"}, False),
        ({"model_type": "gemma3", "text_config": {"model_type": "gemma3_text"}}, False),
        ({"model_type": "exaone4"}, True),
        ({"model_type": "bart", "is_encoder_decoder": True}, True),
    ],
)
def test_liger_is_refused_for_a_model_that_it_does_not_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: dict[str, object], refused: bool
) -> None:
    package = tmp_path / "liger_kernel"
    (package / "transformers").mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('imported')\n")
    (package / "transformers" / "monkey_patch.py").write_text(TABLE, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    folder = written(tmp_path, **config)
    if not refused:
        require_liger(folder)
        return
    with pytest.raises(
        UserError,
        match=r"^--kernels liger: Liger has no kernels for \w+ \(.*config.json\); leave --kernels at",
    ):
        require_liger(folder)


def test_nothing_is_refused_where_liger_does_not_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "liger_kernel").mkdir()
    (tmp_path / "liger_kernel" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    require_liger(written(tmp_path, model_type="exaone4"))


ASK = """
import sys
from dataclasses import replace
from common.core.errors import UserError
from common.runs.architecture_settings import require_architecture_of_hub
from experiments.exp012.config import Config
settings = replace(Config(), base=replace(Config().base, model="team/moe"))
try:
    require_architecture_of_hub(replace(settings, lora=replace(settings.lora, dropout=float(sys.argv[1]))))
except UserError as error:
    print(error)
print("torch" in sys.modules)
"""


def ask(home: Home, dropout: str) -> list[str]:
    ended = subprocess.run(
        [sys.executable, "-c", ASK, dropout], cwd=REPOSITORY, capture_output=True, text=True, check=False,
        env={**home.environment(), "PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()


def test_the_hub_is_asked_for_the_config_and_not_for_weights(tmp_path: Path) -> None:
    files = {"config.json": json.dumps(MOE).encode(), "model.safetensors": b"large"}
    with served(Hub({"team/moe": files})) as it:
        home = Home(tmp_path, it.url)
        assert ask(home, "0.0") == ["False"]
        assert it.requests == []
        said, torch = ask(home, "0.05")
        assert said.startswith(
            "--dropout 0.05: adapters of the experts of qwen3_moe (--targets all) cannot use dropout"
        )
        assert torch == "False"
        assert any("config.json" in path for path in it.requests)
        assert not any("safetensors" in path for path in it.requests)
    assert ask(Home(tmp_path / "other", it.url), "0.05") == ["False"]  # no hub: locating the model reports it
