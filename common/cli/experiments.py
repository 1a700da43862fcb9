"""Commands for experiments: list, train, infer, merge, smoke, new."""

import json
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click

from common.cli.options import AS_JSON, COMPETITION
from common.core import terminal
from common.core.errors import UserError
from common.core.files import kind_of, root, shown, user_path
from common.core.launch import become
from common.core.messages import duration, quoted
from common.core.paths import outputs
from common.core.progress import waiting
from common.core.text_table import text_table
from common.data.competition_file import active_competition, comp_setting, load_competition
from common.runs import experiments, score_text, settings_text, wandb_log
from common.runs.experiments import require_experiment
from common.runs.planned import Planned, require_startable
from common.runs.results import read_results

PASS_ON = {"ignore_unknown_options": True, "allow_extra_args": True}
GPUS = click.option(
    "--gpus",
    default=1,
    type=click.IntRange(1, 1024),
    help="Number of processes on this machine, one for each GPU.",
)
NODES = click.option(
    "--nodes",
    help="torchrun options for several machines: '--nnodes=2 --rdzv-backend=c10d --rdzv-endpoint=HOST:PORT'.",
)

_WHOLE, _TEXT = r"[0-9]{1,9}", r".+"
RENDEZVOUS = {
    "--nnodes": rf"{_WHOLE}(:{_WHOLE})?",
    "--node-rank": _WHOLE,
    "--rdzv-backend": _TEXT,
    "--rdzv-endpoint": _TEXT,
    "--rdzv-id": _TEXT,
    "--rdzv-conf": _TEXT,
    "--master-addr": _TEXT,
    "--master-port": _WHOLE,
    "--local-addr": _TEXT,
}
"""Option of torchrun that describes several machines → pattern of its values. Another word would be taken for a script."""


@click.command("list")
@COMPETITION
@AS_JSON
def list_experiments(name: str | None, as_json: bool) -> None:
    """List every experiment: title, model, needs, last dev score on the competition.

    The score comes from the newest file in results/ of any of the experiment's runs, whichever machine wrote it.
    """
    chosen = load_competition(name or active_competition())
    newest = {r.experiment: r for r in sorted(read_results(chosen.name), key=lambda r: r.date)}
    found: list[dict[str, Any]] = []
    for experiment in experiments.experiments():
        about = experiments.describe(experiment)
        last = newest.get(experiment)
        score = last.dev.get(chosen.dev_profile) if last else None
        found.append(
            {
                "name": experiment,
                "title": about.title,
                "model": about.model,
                "needs": about.needs,
                "dev": score.score if score else None,
                "run": last.run if last else None,
            }
        )
    if as_json:
        click.echo(
            json.dumps({"competition": chosen.name, "profile": chosen.dev_profile, "experiments": found})
        )
        return
    rows = [["exp", "title", "model", "needs", f"dev {score_text.short(chosen.dev_profile)}"]]
    for e in found:
        variant = f" ({e['run']})" if e["run"] not in (None, e["name"]) else ""
        rows.append(
            [e["name"], e["title"], e["model"], e["needs"], score_text.number(e["dev"], chosen.dev_profile) + variant]
        )  # fmt: skip
    click.echo(f"{chosen.name}\n{text_table(rows, ('model',))}")
    terminal.say_next(f"make exp=exp002 train{comp_setting(chosen.name)}")


def _rendezvous(nodes: str) -> list[str]:
    """Return the words of `--nodes`. Raises UserError unless each is --name=value with a known option of torchrun."""
    try:
        words = shlex.split(nodes)
    except ValueError as error:
        raise UserError(f"nodes {quoted(nodes)}: a quote is not closed; close it.") from error
    for word in words:
        name, _, value = word.partition("=")
        if not re.fullmatch(RENDEZVOUS.get(name.replace("_", "-"), ""), value) or not value:
            raise UserError(
                f"nodes: {quoted(word)} cannot be used; wanted options of torchrun, each as --name=value: "
                f"{', '.join(RENDEZVOUS)}."
            )
    return words


def _run(stage: str, name: str, gpus: int, nodes: str | None, arguments: tuple[str, ...]) -> None:
    """Replace this process by the experiment (or by torchrun for several), so that it gets signals and sets the exit code."""
    from common.runs.start import (  # what it judges by is not needed to list or create experiments
        asks_help,
        check_start,
        opening,
    )

    require_experiment(name)
    os.chdir(root())
    if asks_help(arguments):
        click.echo(settings_text.text(settings_text.of_experiment(name)))
        return
    check_start(stage, name, arguments, processes=gpus, alone=not nodes)
    module = f"experiments.{name}.{stage}"
    rendezvous = _rendezvous(nodes) if nodes else ["--standalone"]
    if first := opening(stage, name, arguments):
        click.echo(first, err=True)
    if gpus > 1 or nodes:
        # The "--" keeps torchrun from reading --run as an abbreviation of one of its own options.
        each = ["-m", "--", "common.core.launch", module, *arguments]
        become("common.core.torchrun", f"--nproc-per-node={gpus}", *rendezvous, *each)
    become(module, *arguments)


@click.command(context_settings=PASS_ON)
@click.argument("name", metavar="EXPERIMENT")
@GPUS
@NODES
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def train(name: str, gpus: int, nodes: str | None, arguments: tuple[str, ...]) -> None:
    """Train an experiment, or resume an interrupted training.

    Options: --competition NAME, --run NAME, --smoke, --restart, and every scalar setting of its config.py
    (--learning-rate 3e-5); python -m common settings EXPERIMENT lists them.
    """
    _run("train", name, gpus, nodes, arguments)


@click.command(context_settings=PASS_ON)
@click.argument("name", metavar="EXPERIMENT")
@GPUS
@NODES
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def infer(name: str, gpus: int, nodes: str | None, arguments: tuple[str, ...]) -> None:
    """Predict dev and test with a trained experiment and score dev. The options are those of train."""
    _run("infer", name, gpus, nodes, arguments)


@click.command()
@click.argument("run")
@COMPETITION
def merge(run: str, name: str | None) -> None:
    """Merge a run's adapters into its model's weights, to serve the model or to train it further."""
    options = [f"--competition={name}"] if name else []
    become("common.training.merge", *options, "--", run)


@click.command(context_settings=PASS_ON)
@click.argument("run")
@click.option(
    "--from", "source", required=True, help="Folder of the adapter: adapter_config.json and its weights."
)
@click.option(
    "--base", required=True, help="The model that it was trained on: OWNER/NAME on the hub, or a folder."
)
@COMPETITION
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def import_adapter(run: str, source: str, base: str, name: str | None, arguments: tuple[str, ...]) -> None:
    """Make a run of an adapter that was trained elsewhere, as with TRL or Unsloth.

    RUN is expNNN-NAME; the experiment's settings say how the run decodes.
    """
    options = [f"--from={source}", f"--base={base}", *([f"--competition={name}"] if name else [])]
    become("common.training.import_adapter", *options, "--", run, *arguments)


@click.command()
@click.argument("names", metavar="[EXPERIMENT]...", nargs=-1)
def smoke(names: tuple[str, ...]) -> None:
    """Run train and infer of all (or some) experiments, tiny, on the embedded sample."""
    chosen = [require_experiment(name) for name in names] or experiments.experiments()
    words = ["--smoke", "--competition", "daily_talk"]
    require_startable([Planned(f"smoke: {name}", "train", name, words) for name in chosen])
    for name in chosen:
        started = time.monotonic()
        for stage in ("train", "infer"):
            command = [sys.executable, "-m", f"experiments.{name}.{stage}", *words]
            with waiting(f"smoke run of {name}, {stage}"):
                done = subprocess.run(command, cwd=root(), capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise UserError(f"smoke: {name} {stage} failed:\n{done.stderr.strip()[-3000:]}")
        terminal.say(
            f"{name}: train and infer run, with tiny settings, in {duration(time.monotonic() - started)} "
            f"({shown(outputs('daily_talk', smoke=True) / name)})"
        )
    terminal.say_next(f"make exp={chosen[0]} train")


@click.command()
@click.argument("folder", type=user_path)
@click.option(
    "--mode",
    type=click.Choice(["online", "offline"]),
    default="online",
    show_default=True,
    help="Mode of W&B.",
)
@click.option("--texts", is_flag=True, help="Also upload the first dev references and predictions.")
def track(folder: Path, mode: str, texts: bool) -> None:
    """Show the present state of a run folder in W&B.

    FOLDER is outputs/COMPETITION/RUN. Run the command again to add new results.
    """
    started = time.monotonic()
    try:
        kind = kind_of(folder)
    except OSError as error:
        raise UserError(
            f"{shown(folder)}: cannot be read ({error.strerror}); wanted outputs/COMPETITION/RUN."
        ) from error
    if kind != "folder":
        raise UserError(
            f"{shown(folder)}: {f'is a {kind}' if kind else 'not there'}, not a run folder; wanted outputs/COMPETITION/RUN."
        )
    wandb_log.upload(folder.resolve(), mode, texts=texts)
    took = duration(time.monotonic() - started)
    terminal.say(
        f"{shown(folder)}: shown in W&B ({mode}), in {took}. After new results: run the same command again."
    )
