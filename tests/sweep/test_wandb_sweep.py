"""A sweep in W&B: the real client and real agents, against a server on this machine that chooses the settings."""

import json
import os
import signal
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from common.core.errors import UserError
from common.core.files import read_json
from common.core.json_lines import read_lines
from common.runs.record import read_record
from common.sweep.sweep_file import read_sweep
from common.sweep.wandb_sweep import for_wandb
from tests.support import REPOSITORY, sweeping, wandb_server
from tests.support.tracked import KEY, environment

pytest.importorskip("wandb")
SWEEP = """
method: random
name: small
metric: {name: rouge_sum, goal: maximize}
run_cap: 20
early_terminate: {type: hyperband, min_iter: 1}
parameters:
  training: {parameters: {learning_rate: {min: 1e-2, max: 1.0}}}
  width: {values: [8, 16, 20]}
  seconds: {value: 3}
"""


def test_wandb_gets_full_names_numbers_and_a_command_without_this_machines_paths(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text(
        "method: bayes\nmetric: {name: rouge_sum, goal: maximize, target: 99}\nrun_cap: 9\nproject: p\n"
        "early_terminate: {type: hyperband, max_iter: 27, s: 2}\nparameters:\n"
        "  lora: {parameters: {rank: {values: [8, 16]}, alpha: {value: 32}}}\n"
        "  learning_rate: {distribution: log_uniform, min: -11, max: -9}\n",
        encoding="utf-8",
    )
    sweep = read_sweep(path, "exp012", import_module("experiments.exp012.config").Config())
    found = for_wandb(sweep, "daily_talk", {"dev_rows": 100}, 1)
    command = found.pop("command")
    assert command[:3] == [".venv/bin/python", "-m", "common.core.launch"]
    assert command[3:] == [
        "experiments.exp012.train",
        "--competition=daily_talk",
        "--track=online",
        "${args}",
    ]
    assert found == {
        "name": "exp012",
        "method": "bayes",
        "metric": {"name": "rouge_sum", "goal": "maximize", "target": 99},
        "run_cap": 9,
        "early_terminate": {"type": "hyperband", "eta": 3.0, "max_iter": 27, "s": 2},
        "parameters": {
            "dev_rows": {"value": 100},
            "lora.rank": {"values": [8, 16]},
            "lora.alpha": {"value": 32},
            "training.learning_rate": {
                "distribution": "log_uniform_values",
                "min": pytest.approx(1.67017e-05, rel=1e-4),
                "max": pytest.approx(1.2341e-04, rel=1e-4),
            },
        },
    }
    several = for_wandb(sweep, "daily_talk", {}, 2)["command"]
    assert several[2:7] == ["common.core.torchrun", "--nproc-per-node=2", "--standalone", "-m", "--"]
    assert several[7:9] == ["common.core.launch", "experiments.exp012.train"]


def build(root: Path, sweep: str = SWEEP) -> Path:
    """A repository with a fast experiment that W&B follows."""
    sweeping.build(root, sweep)
    train = root / "experiments" / "exp001" / "train.py"
    text = train.read_text(encoding="utf-8")
    assert text.count("append_line(metrics, line)") == 1
    follow = "run.tracker.follow()"
    followed = text.replace("append_line(metrics, line)", f"append_line(metrics, line)\n            {follow}")
    begin = "    with signals.noted():"
    assert followed.count(begin) == 1
    followed = followed.replace(begin, f"    {follow}\n{begin}")
    train.write_text(followed, encoding="utf-8")
    # A trial starts in the repository, with its own .venv.
    bin = root / ".venv" / "bin"
    bin.mkdir(parents=True)
    (bin / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n', encoding="utf-8")
    (bin / "python").chmod(0o755)
    return root


def start(root: Path, server: wandb_server.Server, *words: str) -> "subprocess.Popen[str]":
    given = environment(root, WANDB_BASE_URL=server.url, KDS_ROOT=str(root), PYTHONPATH=str(REPOSITORY))
    return subprocess.Popen(
        [sys.executable, "-m", "common", "sweep", "exp001", "--track=online", *words],
        cwd=root, env=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
    )  # fmt: skip


def trials(root: Path) -> dict[str, Path]:
    """The run folder of every trial, by the id of its run in W&B."""
    paths = sorted((root / "outputs" / "talk").glob("exp001-trial*/wandb.json"))
    return {read_json(path)["id"]: path.parent for path in paths}


def own_folder(root: Path) -> Path:
    return root / "outputs" / "talk" / "sweeps" / "exp001-sweep"


@pytest.mark.slow
def test_a_sweep_is_registered_run_by_two_agents_and_continued(tmp_path: Path) -> None:
    root = build(tmp_path / "home" / "repository")
    with wandb_server.serve() as server:
        server.hopeless = lambda run: run == "Trial001" and run in server.runs
        process = start(root, server, "--count=3", "--jobs=2")
        output, error = process.communicate(timeout=240)
        assert process.returncode == 0, output + error
        (sweep,) = server.sweeps.values()
        # Two agents; W&B ended one trial before it had a score, so a third agent ran another.
        assert len(sweep.agents) == 3 and set(sweep.hosts) == {"agent"}
        assert len(sweep.trials) == 4
        # Registered: what the file says, under full names, as a YAML that W&B reads.
        config = yaml.safe_load(sweep.text)
        rate = config["parameters"]["training.learning_rate"]
        assert rate == {"distribution": "uniform", "min": 0.01, "max": 1.0}
        assert config["early_terminate"] == {"type": "hyperband", "min_iter": 1, "eta": 3.0}
        # Each trial is a run of its own, with the settings that W&B chose.
        folders = trials(root)
        assert sorted(folders) == ["Trial000", "Trial001", "Trial002", "Trial003"]
        for run, folder in folders.items():
            record = read_record(folder)["train"]
            assert record["overrides"] == {name: given["value"] for name, given in sweep.trials[run].items()}
            assert (
                json.loads(server.runs[run]["config"])["training.learning_rate"]["value"]
                == record["config"]["training.learning_rate"]
            )
        # Results: W&B has what the run folder has, and a trial that it ended early stopped after fewer evaluations.
        for run in ("Trial000", "Trial002", "Trial003"):
            lines = read_lines(folders[run] / "metrics.jsonl")
            assert len(lines) == 4 and server.summary[run]["rouge_sum"] == pytest.approx(
                lines[-1]["rouge_sum"]
            )
            assert read_record(folders[run])["train"]["status"] == "finished"
            assert server.summary[run]["score"] == pytest.approx(lines[-1]["score"])
            assert [row["score"] for row in server.rows(run)] == pytest.approx(
                [line["score"] for line in lines]
            )
        assert len(read_lines(folders["Trial001"] / "metrics.jsonl")) < 4
        assert server.state("Trial001") == "killed"
        best = max(server.summary[run]["rouge_sum"] for run in folders if run != "Trial001")
        assert f"{best:.2f}" in output and server.url in output
        assert "exp001-trial000" in output
        # No key and no path of this machine in what the sweep registered.
        assert KEY not in sweep.text and str(root) not in sweep.text

        # The same command goes on: one more trial of the same sweep.
        process = start(root, server, "--count=4")
        output, error = process.communicate(timeout=240)
        assert process.returncode == 0, output + error
        assert len(server.sweeps) == 1
        assert len(trials(root)) == 5 == len(sweep.trials)

        # Another file is another sweep, and is refused under the same name.
        file = root / "experiments" / "exp001" / "sweep.yaml"
        file.write_text(SWEEP.replace("[8, 16, 20]", "[8, 16]"), encoding="utf-8")
        process = start(root, server, "--count=6")
        output, error = process.communicate(timeout=60)
        assert process.returncode == 1 and error.count("\n") == 1
        assert "parameters changed since this sweep was registered in W&B as swp0; change it back" in error


@pytest.mark.slow
def test_a_signal_ends_agents_and_trials_which_save_their_state(tmp_path: Path) -> None:
    root = build(
        tmp_path / "home" / "repository",
        SWEEP.replace("value: 3", "value: 20"),
    )
    with wandb_server.serve() as server:
        process = start(root, server, "--count=2")
        sweeping.wait_for(lambda: server.runs and trials(root), 90)
        time.sleep(1)
        process.send_signal(signal.SIGTERM)
        output, error = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGTERM, output + error
    assert "each running trial saved its state" in error
    (folder,) = trials(root).values()
    assert (folder / "checkpoints" / "step-0").is_dir()
    assert [line for line in os.popen("ps -eo args").read().splitlines() if str(root) in line] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("refuses", "values", "part"),
    [
        (
            True,
            {},
            "error: W&B did not register the sweep (AuthenticationError: Failed to verify credentials with http://127.0.0.1:",
        ),
        (False, {"WANDB_API_KEY": ""}, "error: track=online: there is no W&B key; "),
        (
            False,
            {"WANDB_MODE": "disabled"},
            "error: track=online: WANDB_MODE or WANDB_DISABLED switch W&B off; unset them.",
        ),
    ],
)
def test_what_wandb_cannot_do_is_said_in_one_line_and_registers_nothing(
    tmp_path: Path, refuses: bool, values: dict[str, str], part: str
) -> None:
    root = build(tmp_path / "home" / "repository")
    with wandb_server.serve(refuses=refuses) as server:
        given = environment(
            root, WANDB_BASE_URL=server.url, KDS_ROOT=str(root), PYTHONPATH=str(REPOSITORY), **values
        )
        done = subprocess.run(
            [sys.executable, "-m", "common", "sweep", "exp001", "--track=online", "--count=2"],
            cwd=root, env=given, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert server.sweeps == {}
    assert done.returncode == 1 and done.stderr.startswith(part), done.stderr
    assert done.stderr.count("\n") == 1
    assert not own_folder(root).exists()


@pytest.mark.slow
def test_trials_that_fail_are_explained(tmp_path: Path) -> None:
    root = build(
        tmp_path / "home" / "repository",
        SWEEP.replace("parameters:", "parameters:\n  fail: {value: true}", 1),
    )
    with wandb_server.serve() as server:
        process = start(root, server, "--count=1")
        output, error = process.communicate(timeout=120)
    assert process.returncode == 1, output
    assert (
        "0 of 1 trial is scored, and the agents have ended: this setting cannot be trained; choose another one"
        in error
    )


def test_a_file_that_wandb_would_take_is_judged_by_us_first(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text(SWEEP.replace("1e-2", "0"), encoding="utf-8")
    config: Any = import_module("experiments.exp002.config").Config()
    with pytest.raises(UserError, match=r'learning_rate.min" is 0; wanted a number above 0'):
        read_sweep(path, "exp002", config)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "words", "part"),
    [
        ("", ["--track=online", "--storage=postgresql://db/sweeps"], "error: track=online: W&B itself stores the sweep; leave out storage="),
        ("sweep.json", ["--track=online"], "error: sweep of exp001 was begun without W&B; go on without track=online, or begin another one"),
        ("wandb.json", [], "error: sweep of exp001 is in W&B; go on with track=online and look at it there, or begin another one"),
    ],
)  # fmt: skip
def test_a_sweep_stays_where_it_was_begun(tmp_path: Path, file: str, words: list[str], part: str) -> None:
    root = build(tmp_path / "home" / "repository")
    if file:
        own_folder(root).mkdir(parents=True)
        (own_folder(root) / file).write_text('{"storage": "file"}', encoding="utf-8")
    with wandb_server.serve() as server:
        given = environment(root, WANDB_BASE_URL=server.url, KDS_ROOT=str(root), PYTHONPATH=str(REPOSITORY))
        done = subprocess.run(
            [sys.executable, "-m", "common", "sweep", "exp001", "--count=2", *words],
            cwd=root, env=given, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert server.sweeps == {}
    assert done.returncode == 1 and done.stderr.startswith(part), done.stderr
    assert done.stderr.count("\n") == 1
