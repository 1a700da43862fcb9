"""The sweep file of every experiment that trains is accepted by W&B's tools and by ours."""

from importlib import import_module
from itertools import islice, product
from pathlib import Path
from typing import Any

import pytest

from common.core.config import override, plain
from common.core.paths import RUN_NAME
from common.runs.experiments import experiments
from common.runs.wandb_mode import sweep_run
from common.sweep.sweep_file import SweepFile, read_sweep, trial_arguments
from tests.support import REPOSITORY

SWEEPS = sorted((REPOSITORY / "experiments").glob("exp*/sweep.yaml"))
each = pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.parent.name)


def config(path: Path) -> Any:
    return import_module(f"experiments.{path.parent.name}.config").Config()


def ours(path: Path) -> SweepFile:
    return read_sweep(path, path.parent.name, config(path))


def test_every_experiment_that_trains_has_a_sweep() -> None:
    trains = [
        name
        for name in experiments()
        if hasattr(import_module(f"experiments.{name}.config").Config(), "training")
    ]
    assert [path.parent.name for path in SWEEPS] == trains
    assert len(trains) == 11


@each
def test_it_searches_the_score_of_the_project_and_ends_hopeless_trials_early(path: Path) -> None:
    sweep = ours(path)
    assert (sweep.name, sweep.method, sweep.metric, sweep.goal) == (
        path.parent.name,
        "bayes",
        "rouge_sum",
        "maximize",
    )
    assert sweep.run_cap and sweep.early_terminate and sweep.early_terminate.bands(30)
    names = {parameter.name for parameter in sweep.chosen}
    assert names >= {"training.learning_rate"}
    if "lora.rank" in plain(config(path)) and path.parent.name != "exp013":
        assert names >= {"lora.rank", "lora.alpha", "training.epochs"}
    if path.parent.name in ("exp003", "exp007", "exp008", "exp009", "exp012"):  # the guide's range
        rate = next(one for one in sweep.chosen if one.name == "training.learning_rate")
        assert (rate.low, rate.high, rate.log) == (1e-5, 5e-5, True)


@each
def test_wandb_reads_the_same_values_as_we_do(path: Path) -> None:
    """Its PyYAML reads 1e-5 as a text; its client fills in the distribution and refuses bounds of mixed types."""
    from wandb.apis.public.sweeps import _validate_config_and_fill_distribution
    from wandb.sdk.launch.sweeps.utils import load_sweep_config

    theirs = _validate_config_and_fill_distribution(load_sweep_config(str(path)))
    sweep = ours(path)
    assert len(theirs["parameters"]) == len(sweep.parameters)
    for given, parameter in zip(theirs["parameters"].values(), sweep.parameters, strict=True):
        assert parameter.for_wandb() == given
    assert theirs["run_cap"] == sweep.run_cap


@each
def test_wandbs_own_schema_accepts_it(path: Path) -> None:
    """The schema is in the package `sweeps` (pip install 'wandb[sweeps]'); version 0.2.0 is older than run_cap."""
    schema = pytest.importorskip("sweeps.config", reason="needs pip install 'wandb[sweeps]'")
    from wandb.sdk.launch.sweeps.utils import load_sweep_config

    theirs = load_sweep_config(str(path))
    assert theirs is not None
    for known in (
        theirs,
        {**theirs, "parameters": {one.name: one.for_wandb() for one in ours(path).parameters}},
    ):
        found = schema.schema_violations_from_proposed_config(known)
        assert [message for message in found if "'run_cap' was unexpected" not in message] == []
        assert schema.schema_violations_from_proposed_config({**known, "method": "hyperopt"}) != found


@each
def test_what_an_agent_would_start_is_accepted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from wandb.sdk.launch.sweeps.utils import create_sweep_command_args, load_sweep_config

    theirs = load_sweep_config(str(path))
    assert theirs is not None
    experiment, sweep = path.parent.name, ours(path)
    ends = [one.values or (one.lowest, one.highest) for one in sweep.parameters]
    for values in islice(product(*ends), 64):
        chosen = {name: {"value": value} for name, value in zip(theirs["parameters"], values, strict=True)}
        _, changed = override(config(path), create_sweep_command_args({"args": chosen})["args"])
        assert list(changed.values()) == list(values)
        by_name = dict(zip((one.name for one in sweep.parameters), values, strict=True))
        assert override(config(path), trial_arguments(by_name))[1] == changed
    assert f"experiments.{experiment}.train" in theirs["command"]
    assert theirs["command"][-1] == "${args}"
    monkeypatch.setenv("WANDB_SWEEP_ID", "s1")
    monkeypatch.setenv("WANDB_RUN_ID", "K3jd9S2a")
    name = sweep_run(experiment)
    assert name == f"{experiment}-k3jd9s2a"
    assert RUN_NAME.fullmatch(name)
