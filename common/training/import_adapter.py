"""Make a run of an adapter that was trained elsewhere with PEFT, TRL, Unsloth or LLaMA-Factory (`make import-adapter`).

The run infers, predicts, merges and blends like any; only its training is not repeated. It runs in a separate process
(`python -m common.training.import_adapter`), because models import torch.
"""

import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from common.core import terminal, verified_folder
from common.core.command_line import run_command
from common.core.config import hyphens, override, plain
from common.core.errors import UserError
from common.core.files import root, sha256_file, shown, user_path, write_json
from common.core.messages import brief, duration, quiet_libraries
from common.core.paths import RUN_NAME, run_folder, wanted_run
from common.core.progress import waiting
from common.data.competition import Competition
from common.data.competition_file import active_competition, comp_setting, load_competition
from common.data.competition_rules import require_allowed
from common.models import hub, model_cards
from common.models.foreign_adapter import (
    CONFIG,
    TASKS,
    WEIGHTS,
    ForeignAdapter,
    read_adapter,
    require_fitting,
    require_named_base,
    require_plain_base,
)
from common.models.known import require_findable
from common.runs.experiments import require_experiment
from common.runs.lock import locked_run
from common.runs.record import MADE_ELSEWHERE, require_not_archived, stage_command
from common.runs.run import Run
from common.runs.start import OPTIONS, config_of, settings_command
from common.runs.wandb_log import Tracker

UNKNOWN = (
    "prompt.style", "prompt.shots", "prompt.system_role", "prompt.thinking", "prompt.date", "topic", "language",
    "lengths.max_source_tokens", "base.quantization",
)  # fmt: skip
"""Settings of a training that decoding must repeat and that the files of an adapter do not say."""


def import_adapter(
    source: Path, base: str, run: str, competition: Competition, arguments: tuple[str, ...]
) -> Run[Any]:
    """Write the run's best checkpoint and its record, and return it.

    Raises UserError when the run exists, the experiment trains no adapters, the adapter cannot be used, or it does not fit
    the base.
    """
    folder = _free_folder(competition, run)
    experiment = run.split("-")[0]
    module = config_of(experiment)
    default = plain(module.Config())
    listing = settings_command(experiment)
    _, typed = override(module.Config(), arguments, complete=False, listing=listing, options=OPTIONS)
    base = _recordable(base)
    found = require_findable(base)
    adapter = read_adapter(source)
    if not {"base.model", "lora.rank"} <= default.keys():
        raise UserError(
            f"as={run}: {experiment} trains no adapters; wanted an experiment that does, such as exp012 (make list)."
        )
    require_named_base(adapter, base)
    if found:
        require_plain_base(found, base)
    given = [*arguments, *_known_settings(adapter, base, default, typed)]
    settings, overrides = override(module.Config(), given, listing=listing, options=OPTIONS)
    where = f"{experiment} on {competition.name}"
    require_allowed(competition, where, plain(settings), {})
    sources = model_cards.declared(plain(settings))
    own = set(model_cards.declared_in(source)) - {adapter.base}
    sources[base] = sorted({*sources.get(base, []), *own})
    require_allowed(competition, where, plain(settings), sources)
    made = Run(
        "train",
        experiment,
        folder,
        competition,
        settings,
        overrides,
        False,
        Tracker(folder, "off", False),
        sources=sources,
    )
    files = {path.name: sha256_file(path) for path in sorted(source.iterdir()) if path.is_file()}
    with locked_run(folder):
        notes = _write_best(adapter, module.SMOKE.base.model, made)
        assumed = {
            name: value
            for name in UNKNOWN
            if (value := plain(settings).get(name)) is not None and name not in overrides
        }
        made.notes[MADE_ELSEWHERE] = {
            "files": files,
            "base": adapter.base if _is_hub_like(adapter.base) else Path(adapter.base).name,
            "alpha": adapter.config.get("lora_alpha", 8),
            "assumed": assumed,
            **notes,
        }
        # No code of this repository trained it, and a path of the command line is of this machine only.
        made.finish(code={}, command=[])
    return made


def _is_hub_like(name: str) -> bool:
    """Return whether a name can be a hub id, and not a path."""
    return name.count("/") == 1 and not name.startswith((".", "/", "~"))


def _free_folder(competition: Competition, run: str) -> Path:
    if not RUN_NAME.fullmatch(run):
        raise UserError(f"as={brief(run)}: {wanted_run(run)}.")
    if "-" not in run:
        raise UserError(f"as={brief(run)}: wanted the experiment, a hyphen and a name, as in exp012-theirs.")
    require_experiment(run.split("-")[0])
    folder = run_folder(competition.name, run)
    require_not_archived(folder)
    if folder.is_symlink() or (folder.exists() and not _is_unfinished(folder)):
        raise UserError(
            f"as={run}: {shown(folder)} already exists; choose another name, or: make archive run={run}{comp_setting(competition.name)}"
        )
    return folder


def _is_unfinished(folder: Path) -> bool:
    """Return whether a folder holds only what an import that was killed has left."""
    return folder.is_dir() and {path.name for path in folder.iterdir()} <= {
        "best",
        ".staging-best",
        ".old-best",
    }


def _recordable(base: str) -> str:
    """Return the name of a base as the run records it: a folder relative to the repository, or absolute outside of it."""
    path = user_path(base)
    if base in hub.OFFLINE or not path.is_dir():
        return base
    whole = path.resolve()
    return str(whole.relative_to(root())) if root() in whole.parents else str(whole)


def _known_settings(
    adapter: ForeignAdapter, base: str, default: dict[str, Any], typed: Mapping[str, Any]
) -> list[str]:
    """Return the settings that the adapter's files say, as arguments, except those of the command line (`typed`)."""
    config = adapter.config
    found: dict[str, Any] = {
        "base.model": base,
        "lora.rank": config.get("r", 8),
        "lora.targets": ",".join(adapter.layers),
    }
    alpha = config.get("lora_alpha")
    if isinstance(alpha, int) or (isinstance(alpha, float) and alpha.is_integer()):
        found["lora.alpha"] = int(alpha)
    if isinstance(config.get("lora_dropout"), int | float):
        found["lora.dropout"] = config["lora_dropout"]
    if adapter.quantized:
        found["base.quantization"] = "nf4"
    if base != default["base.model"]:
        found["base.gpu_memory"] = 0.0  # the experiment's number is that of its own base
    if wrong := [name for name in typed if name.startswith("lora.") or name == "base.model"]:
        short = hyphens(wrong[0].rpartition(".")[2])
        raise UserError(f"--{short}: the adapter's files and base= say this; leave it out.")
    found = {name: value for name, value in found.items() if name not in typed}
    return [f"--{hyphens(name)}={value}" for name, value in found.items()]


def _write_best(adapter: ForeignAdapter, smoke_model: str, run: Run[Any]) -> dict[str, Any]:
    """Check the adapter against its base, write the checkpoint, and return what was found, for the run's notes."""
    with waiting("load libraries"):
        from common.models import adapter_checks, pretrained, storage
        from common.models.architecture import architecture, require_architecture
        from common.models.tiny import tiny
        from common.tokenization import chat

    config = run.config
    kind = architecture(tiny(smoke_model))
    task = adapter.config.get("task_type")
    if task not in (None, TASKS[kind]):
        raise UserError(
            f"{shown(adapter.folder / CONFIG)}: task_type is {task}, wanted {TASKS[kind]} for {run.experiment}."
        )
    with waiting(f"find {config.base.model}"):
        source = pretrained.locate(config.base, kind)
    require_architecture(source.folder, kind)
    require_plain_base(source.folder, config.base.model)
    bases = pretrained.pretrained_tokenizer(source.folder)
    tokenizer, notes = adapter_checks.tokenizer_of(adapter.folder, bases)
    with waiting("compare the adapter with its base"):
        rows, wanted = adapter_checks.expected_tensors(adapter, source.folder, config.base, tokenizer)
    adapter_checks.require_vocabulary(adapter, tokenizer, bases, rows)
    require_fitting(adapter, wanted, config.base.model)
    adapter_checks.require_finite(adapter)
    if hasattr(config, "prompt"):
        from common import prompts

        if not tokenizer.chat_template:
            raise UserError(
                f"from={shown(adapter.folder)}: neither the adapter nor its base has a chat template. Copy the template of its "
                f"training there as {adapter_checks.TEMPLATE}, or, for a training without one, import it as a run of exp010."
            )
        chat.render(tokenizer, prompts.prompt(config=config.prompt))
    changed = {
        "base_model_name_or_path": config.base.model, "task_type": TASKS[kind], "inference_mode": True,
        "init_lora_weights": True, "auto_mapping": None,
    }  # fmt: skip

    def write(folder: Path) -> None:
        storage.save_tokenizer(tokenizer, folder)
        shutil.copyfile(adapter.folder / WEIGHTS, folder / WEIGHTS)
        write_json(folder / CONFIG, adapter.config | changed)
        write_json(
            folder / storage.BASE, {"config": asdict(config.base), "source": pretrained.source_record(source)}
        )

    verified_folder.save(run.folder / "best", write)
    run.notes["base"] = pretrained.source_record(source)
    return notes


def summary(run: Run[Any], took: float) -> str:
    """Return what was found, what was assumed, and the next command."""
    about, name, comp = run.notes[MADE_ELSEWHERE], run.folder.name, comp_setting(run.competition.name)
    lora = run.config.lora
    same = "the same as the base's" if about["same_chat_template"] else "another one than the base's"
    lines = [
        f"{shown(run.folder / 'best')}: the adapter fits {run.config.base.model}: rank {lora.rank}, alpha {about['alpha']}, layers "
        f"{', '.join(lora.targets)}; checked in {duration(took)}.",
        f"tokenizer: {about['tokenizer']}'s; chat template: {about['chat_template']}'s, {same}.",
    ]
    if about["assumed"]:
        given = " ".join(
            f"--{hyphens(key.rpartition('.')[2])} {value}" for key, value in about["assumed"].items()
        )
        lines.append(
            f"The files do not say these settings of the training, so {run.experiment}'s are assumed: {given}. If others were "
            'used: archive this run and import it again with args="--name value".'
        )
    lines.append(f"Next: {stage_command(name, 'infer', run.folder, comp)}")
    return "\n".join(lines)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "ignore_unknown_options": True})
@click.argument("run")
@click.option("--from", "source", type=user_path, required=True)
@click.option("--base", required=True)
@click.option("--competition", "name", help="Default: the active one.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(run: str, source: Path, base: str, name: str | None, arguments: tuple[str, ...]) -> None:
    """Make a run of an adapter that was trained elsewhere."""
    started = time.monotonic()
    quiet_libraries()
    competition = load_competition(name or active_competition())
    made = import_adapter(source, base, run, competition, arguments)
    terminal.say(summary(made, time.monotonic() - started))


def main() -> None:
    """Run the command; a UserError becomes one line on stderr and exit code 1, a signal exit code 128 + its number."""
    run_command(command, "python -m common import-adapter")


if __name__ == "__main__":
    main()
