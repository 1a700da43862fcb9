"""Merge a run's adapters into the weights of its base (`make merge`), which gives a complete model.

It can be trained further (with new adapters, as in ReLoRA, Lialin et al. 2023), served or passed on.
It runs in a separate process (`python -m common.training.merge`), because models import torch.
"""

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click
from filelock import FileLock, Timeout

from common.core import terminal, verified_folder
from common.core.command_line import run_command
from common.core.errors import UserError
from common.core.files import shown
from common.core.locks import removed_on_failure
from common.core.messages import duration
from common.core.paths import merged_folder, run_folder
from common.core.progress import brief_progress, waiting
from common.data.competition_file import active_competition, load_competition
from common.models.known import require_findable, weights_bytes
from common.runs.disk_room import require_free, require_writable
from common.runs.record import require_trained, stale_training
from common.runs.requirements import recorded_weights

log = logging.getLogger(__name__)
ADAPTER = "adapter_config.json"
"""File of a checkpoint that has adapters (as in `models.storage`, which imports torch)."""


def merge_run(competition_name: str, run: str) -> Path:
    """Merge the adapters of the run's best checkpoint and return the folder of the merged model (see `merged_folder`).

    One tensor at a time is read, merged in float32 and written in the precision that it has in the base's files, so that
    memory holds the adapters and one tensor.
    Raises UserError when the run is not trained, its checkpoint is damaged or has no adapters, its base has changed or is
    quantized, the disk has no room, or another process merges the same run.
    """
    trained, target = run_folder(competition_name, run), merged_folder(competition_name, run)
    require_trained(trained)
    best = trained / "best"
    if not (best / ADAPTER).exists():
        raise UserError(
            f"{shown(best)} has no adapters to merge; a run that trains all weights needs no merging."
        )
    if reasons := stale_training(trained):
        log.warning("%s is stale: %s", run, "; ".join(reasons))
    if damage := verified_folder.problem(best):
        raise UserError(f"{shown(best)}: {damage}; train it again with restart=1.")
    _require_ready(best, target)
    with waiting("load libraries"):
        from common.models import storage
        from common.models.tensor_files import write_model
        from common.tokenization.tokenizer import load_tokenizer
        from common.training.merged_weights import MergedWeights

    base, _ = storage.weights(best)
    with waiting(f"read the adapters of {run}"):
        tokenizer = load_tokenizer(best)
        merged = MergedWeights(base, best, len(tokenizer))
    size = sum(tensor.size for tensor in merged.tensors)
    require_free(target, size)
    with _locked(target), ExitStack() as hashing:

        def write(staging: Path) -> None:
            merged.config.save_pretrained(staging)
            storage.generation_config(best, base).save_pretrained(staging)
            tokenizer.save_pretrained(staging)
            with _megabytes(size, f"merge {run}") as written:
                write_model(staging, merged.tensors, merged.content, written)
            hashing.enter_context(waiting(f"check {shown(target)}"))

        verified_folder.save(target, write)
    return target


@contextmanager
def _locked(target: Path) -> Iterator[None]:
    """Hold the lock of the merged model inside this context: two merges would write into the same files."""
    lock = FileLock(target.with_name(f".{target.name}.lock"))
    new = not Path(lock.lock_file).exists()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=1)  # children of a process that was just killed may hold it for a moment
    except Timeout as error:
        raise UserError(f"{shown(target)}: another make merge is writing it; wait for it to end.") from error
    except OSError as error:
        raise UserError(
            f"{shown(target)}: cannot be written ({error.strerror}); make it writable."
        ) from error
    with removed_on_failure(lock, new=new):
        yield


@contextmanager
def _megabytes(size: int, description: str) -> Iterator[Callable[[int], None]]:
    """Show a bar in megabytes inside this context, which yields the function that counts bytes."""
    done = 0
    with brief_progress(size // 2**20, description, "MB") as bar:

        def count(more: int) -> None:
            nonlocal done
            bar.update((done + more) // 2**20 - done // 2**20)
            done += more

        yield count


def _require_ready(best: Path, target: Path) -> None:
    """Raise UserError when the base certainly cannot be loaded, or the merged model has no room: without torch."""
    recorded = recorded_weights(best)
    folder = require_findable(recorded.model, recorded.revision) if recorded else None
    require_writable(target)
    require_free(target, weights_bytes(folder) if folder else 0)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("run")
@click.option("--competition", "name", help="Default: the active one.")
def command(run: str, name: str | None) -> None:
    """Merge a run's adapters into the weights of its base: a complete model."""
    started = time.monotonic()
    path = shown(merge_run(load_competition(name or active_competition()).name, run))
    experiment = run.split("-")[0]
    terminal.say(
        f"{path} is a complete model, merged in {duration(time.monotonic() - started)}. To train it further:\n"
        f'  make exp={experiment} train run={experiment}-NAME args="--model={path}"'
    )


def main() -> None:
    """Run the command; a UserError becomes one line on stderr and exit code 1, a signal exit code 128 + its number."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # in float32 the model may not fit on the GPU that trained it
    run_command(command, "python -m common merge")


if __name__ == "__main__":
    main()
