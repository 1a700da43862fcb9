"""Run one stage of an experiment, from the command line to the exit code.

In this order: read options and settings, lock the run's folder, check the rules, decide whether there is work, work.
"""

import argparse
import contextlib
import logging
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from common.core import distributed, paths, signals
from common.core.config import implied, override, plain
from common.core.errors import UserError
from common.core.files import shown
from common.core.gpus import grow_memory
from common.core.language import spoken
from common.core.messages import close_bars, duration, log_to_terminal, some
from common.core.provenance import hardware
from common.core.signals import Interrupted
from common.core.terminal import error_line, fitted
from common.data.competition_file import active_competition, load_competition
from common.data.competition_rules import models_of, require_allowed, require_stage
from common.runs import predicting, wandb_log
from common.runs.architecture_settings import require_architecture_of_hub
from common.runs.asked import read_asked
from common.runs.closing import closing, how_to_go_on
from common.runs.imported import is_imported
from common.runs.lock import locked_run
from common.runs.record import (
    MADE_ELSEWHERE,
    changed_code,
    changed_settings,
    made_nothing,
    read_record,
    require_checkpoint,
    stale_stage,
    stale_training,
)
from common.runs.run import Run, apply_training_overrides, set_aside
from common.runs.start import (
    OPTIONS,
    asks_help,
    read_arguments,
    require_data,
    require_same_settings,
    require_training,
    run_name,
    settings_command,
)
from common.runs.undo import undone_if_nothing_is_made

C = TypeVar("C")
log = logging.getLogger(__name__)
ERROR_DELAY = 15.0
"""Seconds that a process other than the first, or one that lost another, waits before it prints an error.

Usually all processes have the same error; when the first one exits, torchrun ends the others, so it is printed once.
"""


def main(
    stage: str,
    file: str,
    config: C,
    smoke: C,
    work: Callable[[Run[C]], None],
    *,
    estimate: Callable[[Run[C]], str] | None = None,
) -> None:
    """Run one stage of the experiment that `file` belongs to, from the command line to the exit code.

    Common options: --competition NAME, --run NAME (a variant such as exp002-seed2), --smoke (tiny settings, takes
    seconds), --restart (train: move the old run aside first), --renew (train: the same, but only when the old run is
    stale or has other settings), --dry-run (stages that cost money: print `estimate` and exit without changing the
    record), --track off|auto|offline|online (W&B, see wandb_mode.py). Every other --name sets a scalar of the config.
    SIGTERM, SIGINT and SIGHUP end the stage with one line that says how to go on, and exit code 128 + the signal's number.
    """
    with spoken(), signals.raised():
        log_to_terminal(logging.WARNING if distributed.rank() else logging.INFO)
        grow_memory(sys.argv[1:])  # also for a stage that was started without launch.py
        try:
            _run(stage, Path(file).resolve().parent.name, config, smoke, work, estimate)
            distributed.leave()
        except (UserError, RuntimeError) as error:
            close_bars()
            lost = distributed.lost_another(error)  # that process or torchrun reports the cause
            if not (lost or isinstance(error, UserError)):
                raise
            if lost or distributed.rank():
                time.sleep(ERROR_DELAY)
                sys.exit(error_line(f"process {distributed.rank()}: {error}"))
            sys.exit(error_line(error))
        except Interrupted as stop:
            _end(stop)


def _end(stop: Interrupted) -> None:
    """Print how to go on, in the first process, and exit."""
    if stop.together:
        with contextlib.suppress(RuntimeError):  # another process was ended before it got here
            distributed.wait()  # the others close their progress bars first
    close_bars()
    if distributed.rank() == 0:
        print(fitted(str(stop), sys.stderr), file=sys.stderr, flush=True)  # noqa: T201
    if distributed.count() > 1:
        if stop.together:
            with contextlib.suppress(RuntimeError):
                distributed.leave()
        os._exit(128 + stop.number)  # without waiting for threads that wait for another process
    raise stop


def _run(
    stage: str,
    experiment: str,
    config: C,
    smoke: C,
    work: Callable[[Run[C]], None],
    estimate: Callable[[Run[C]], str] | None,
) -> None:
    if asks_help(sys.argv[1:]):
        from common.runs import settings_text  # no run needs it

        print(settings_text.text(settings_text.of_experiment(experiment)))  # noqa: T201
        return
    options, rest = read_arguments(sys.argv[1:])
    # What infer is given adds to what training was given (`apply_training_overrides`).
    settings, overrides = override(
        smoke if options.smoke else config, rest, complete=stage == "train",
        listing=settings_command(experiment), options=OPTIONS,
    )  # fmt: skip
    name = run_name(experiment, options.run)
    chosen = load_competition(active_competition() if options.competition is None else options.competition)
    require_data(chosen)
    folder = paths.outputs(chosen.name, smoke=options.smoke) / name
    asked = "off" if distributed.rank() else options.track  # only the first process tracks
    tracker = wandb_log.tracker(folder, asked, smoke=options.smoke)
    run = Run(stage, experiment, folder, chosen, settings, overrides, options.smoke, tracker)
    if options.predict is not None:
        _predict(run, options, work, estimate)
    elif options.dry_run:
        _dry_run(run, estimate)
    elif distributed.rank():
        _follow_first(run, work)
    else:
        try:
            with locked_run(folder), tracker, undone_if_nothing_is_made(run), run.attempt():
                if stage == "train":
                    _say_implied(run, plain(smoke if options.smoke else config))
                    _begin_training(run, options.restart, options.renew, work)
                else:
                    _begin_inference(run, work)
        except Interrupted as stop:
            stop.advice = how_to_go_on(run, restart=options.restart)
            raise


def _predict(
    run: Run[C],
    options: argparse.Namespace,
    work: Callable[[Run[C]], None],
    estimate: Callable[[Run[C]], str] | None,
) -> None:
    """Predict other rows than dev and test; see `common.runs.predicting`."""
    asked, trained = read_asked(options.predict), shown(run.folder)
    if run.stage != "infer":
        raise UserError("--predict is an option of infer; use make predict instead.")
    predicting.as_inferred(run)
    if not (distributed.rank() or options.dry_run):
        _require_ready(run)
    ids = predicting.prepare(run, asked)
    if options.dry_run:
        _dry_run(run, estimate)
    elif distributed.rank():
        _follow_first(run, work)
        distributed.wait()
    else:
        try:
            advice = "wait for it to end: it summarizes the same dialogues with the same run."
            with locked_run(run.folder, advice):
                texts = predicting.predict(run, ids, asked, work)
        except Interrupted as stop:
            stop.advice = how_to_go_on(run, restart=False)
            raise
        if asked.target:
            took = duration(time.time() - run.started)
            log.info("%s: %d summaries of %s, in %s.", shown(Path(asked.target)), len(texts), trained, took)
        else:
            print(texts[0])  # noqa: T201


def _say_implied(run: Run[C], defaults: dict[str, Any]) -> None:
    """Log one line for each setting that has another value than its default because of other settings."""
    for name, (value, message) in implied(run.config).items():
        if name not in run.overrides and value != defaults[name]:
            log.info(message)


def _follow_first(run: Run[C], work: Callable[[Run[C]], None]) -> None:
    """Work along with the first process, which alone writes to the folder and says whether there is work."""
    if not any(distributed.gather([False])):
        return
    if run.stage == "infer":
        apply_training_overrides(run, read_record(run.folder).get("train", {}))
    work(run)


def _dry_run(run: Run[C], estimate: Callable[[Run[C]], str] | None) -> None:
    if estimate is None:
        raise UserError(
            f"--dry-run: {run.experiment} {run.stage} costs no money, so there is no estimate; leave --dry-run out."
        )
    apply_training_overrides(run, read_record(run.folder).get("train", {}))
    if distributed.rank() == 0:
        print(estimate(run))  # noqa: T201


def _begin_training(run: Run[C], restart: bool, renew: bool, work: Callable[[Run[C]], None]) -> None:
    _require_rules(run)
    if run.smoke:
        shutil.rmtree(run.folder)
        run.folder.mkdir()
    if restart and any(run.folder.iterdir()):  # also when its record cannot be read
        set_aside(run)
    before = read_record(run.folder).get("train")
    if renew and before and MADE_ELSEWHERE in before["notes"]:
        raise UserError(
            f"{shown(run.folder)} was trained elsewhere and imported, so it cannot be trained again here; import it again "
            "with make import-adapter, or accept it with: stale=ok."
        )
    if renew and before and (changed_settings(run.config, before) or stale_training(run.folder)):
        set_aside(run)
        before = None
    if before and before["status"] != "finished" and made_nothing(run.folder):
        before = None  # an earlier start failed or was killed before it made anything, so its settings do not matter
    if before:
        require_same_settings(run.experiment, run.folder, run.competition, run.config, before)
        if before["status"] == "finished":
            if not (stale := stale_training(run.folder)):
                log.info("%s is already trained; add restart=1 to train it again.", shown(run.folder))
                distributed.gather([False])
                return
            raise UserError(
                f"{shown(run.folder)} is trained, but {'; '.join(stale)}. Train it again with restart=1."
            )
        if changed := changed_code(before["code"]):
            run.notes["mixed"] = [*before["notes"].get("mixed", []), *changed]
            log.warning("resuming although %s; the result will count as stale.", "; ".join(changed))
        threads = before.get("hardware", {}).get("threads")
        if threads != hardware()["threads"]:
            run.notes["threads_before"] = [*before["notes"].get("threads_before", []), threads]
    run._write("running")
    distributed.gather([True])
    work(run)
    log.info(closing(run))


def _begin_inference(run: Run[C], work: Callable[[Run[C]], None]) -> None:
    _require_ready(run)
    run._write("running")
    distributed.gather([True])
    work(run)
    log.info(closing(run))


def _require_ready(run: Run[C]) -> None:
    """Raise UserError unless the run is trained, with these settings, and may be used; warn when it is stale."""
    before = require_training(run.experiment, run.folder, run.competition, smoke=run.smoke)
    apply_training_overrides(run, before)
    require_same_settings(run.experiment, run.folder, run.competition, run.config, before)
    require_stage(run.competition, f"{shown(run.folder)}, trained", before)
    _require_rules(run)
    require_checkpoint(run.folder, before)
    if stale := stale_stage(before, imported=is_imported(run.folder)):
        log.warning(
            "the checkpoint is stale: %s. make submit will reject it; train it again with restart=1.",
            some(stale),
        )


def _require_rules(run: Run[C]) -> None:
    """Raise UserError, before any download, when the competition's rules or its architecture forbid a model in the config."""
    settings, where = plain(run.config), f"{run.experiment} on {run.competition.name}"
    require_allowed(run.competition, where, settings, {})
    if models_of(settings):
        from common.models import model_cards  # loaded only when the config names a model

        run.sources = model_cards.declared(settings)
        require_allowed(run.competition, where, settings, run.sources)
        if run.stage == "train":
            require_architecture_of_hub(run.config)
