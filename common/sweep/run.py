"""Run a sweep as one of its workers: claim trials, follow them, and go on where this or another worker was killed."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from common.core import signals
from common.core.errors import UserError
from common.core.signals import Interrupted
from common.runs import archive
from common.sweep import gpus, version
from common.sweep.storage import StorageDownError
from common.sweep.study import SCORED, Study
from common.sweep.trial import RESUMED, How, Trial

TICK = 0.2
"""Seconds between two looks at the trials."""
ASK = 2.0
"""Seconds between two questions for a trial while others still run the last ones."""
OUTAGE = 600.0
"""Seconds for which the storage may be down before the trials are stopped; they can be resumed."""
FAILURES = 3
"""Number of failed trials in a row after which a sweep stops: the cause is then hardly the settings of one trial."""


@dataclass
class Loop:
    """The state of one worker."""

    study: Study
    how: How
    count: int
    show: Callable[["Loop"], None]
    """Called after each look at the trials."""
    tell: Callable[[str], None]
    """Prints a line above what `show` draws."""
    trials: list[Trial] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    """Reasons of the trials that failed in a row."""
    asked: float = float("-inf")
    """When a trial was last asked for in vain."""
    elsewhere: int = 0
    """Number of trials that other workers run."""
    down: float | None = None
    """Since when the storage cannot be reached."""

    def look(self) -> bool:
        """Look at every trial, begin others; return whether there is anything left to wait for."""
        self.study.beat()
        for trial in list(self.trials):
            self._follow(trial)
        return self._fill() or bool(self.trials) or self.elsewhere > 0

    def _follow(self, trial: Trial) -> None:
        """Start a trial, report its new evaluations, stop it early, and store how it ended."""
        if trial.process is None:
            self._start(trial)
        number, code = trial.claim.number, trial.ended()
        if trial.read_metrics():
            if not self.study.owns(number):
                self._lose(trial)
                return
            self.study.report(number, trial.values)
            trial.checked = trial.checked or version.require_own_code(self.study, trial.folder)
            unfinished = len(trial.values) < trial.expected
            if unfinished and not trial.pruned and self.study.should_stop(number, trial.values, trial.judged):
                trial.pruned = True
            trial.judged = len(trial.values)
        if trial.pruned and code is None:
            trial.stop()
        if code is not None:
            self._end(trial, code)

    def _start(self, trial: Trial) -> None:
        """Start a trial, or resume one that another worker began, and report what that one did not get to."""
        before = self.study.trials()[trial.claim.number].user_attrs
        trial.seconds = 60 * before.get("minutes", 0.0)
        if trial.read_metrics() or trial.values:
            self.study.report(trial.claim.number, trial.values)
        trial.judged = max(0, len(trial.values) - 1)  # the worker may have died before it judged the last one
        trial.start()

    def _end(self, trial: Trial, code: int) -> None:
        number, killed = trial.claim.number, code < 0 or code > 128
        if killed and not trial.pruned and signals.pending() is not None:
            return  # whoever ends the sweep may end its processes too; `stop` gives the trial up
        minutes = trial.minutes
        about: dict[str, Any] = {"minutes": minutes, "starts": trial.starts}
        if code == 0 and trial.best is not None:
            self.study.finish(number, "COMPLETE", trial.best, **about)
            self.failed.clear()
        elif trial.pruned and killed:
            stopped = len(trial.values)
            if self.study.finish(number, "PRUNED", trial.best, pruned_at=stopped, **about):
                self._note(trial, f"{self.study.title}: stopped early after evaluation {stopped}")
            self.failed.clear()
        elif killed and trial.starts <= RESUMED:
            self.tell(f"{trial.run} was killed from outside (exit code {code}); it is resumed.")
            trial.settle()
            trial.start()
            return
        else:
            reason = trial.reason(code) if code else f"training wrote no {self.how.sweep.metric}"
            self.study.finish(number, "FAIL", None, reason=reason, **about)
            self.failed.append(f"{trial.run}: {reason}")
        trial.settle()
        self._drop(trial)

    def _note(self, trial: Trial, text: str) -> None:
        """Write a note that make runs shows beside the run."""
        if (trial.folder / "run.json").exists():
            archive.note(self.how.competition, trial.run, text)

    def _lose(self, trial: Trial) -> None:
        """Stop a trial that another worker has taken over, because this one was silent for too long."""
        self.tell(f"{trial.run}: another worker has taken it over; it is stopped here.")
        self._wait([trial])
        self._drop(trial)

    def _drop(self, trial: Trial) -> None:
        trial.lent.give_back()
        self.trials.remove(trial)

    def _fill(self) -> bool:
        """Begin trials while there is room; return whether one was begun."""
        begun = False
        while len(self.trials) < self.how.jobs and len(self.failed) < FAILURES:
            if time.monotonic() - self.asked < ASK:
                return begun
            lent = gpus.lend(self.how.gpus)
            if lent is None:
                if not self.trials and not begun:
                    raise gpus.no_gpu_left(self.how.gpus)
                self.asked = time.monotonic()
                return begun
            try:
                claim = self.study.claim(self.count, {one.claim.number for one in self.trials})
            except BaseException:
                lent.give_back()
                raise
            if claim is None:
                lent.give_back()
                self.asked = time.monotonic()
                running = [one for one in self.study.trials() if one.state.name == "RUNNING"]
                self.elsewhere = len(running) - len(self.trials)
                return begun
            trial = Trial(self.how, claim, self.study.run(claim.number), lent)
            self.trials.append(trial)
            begun = True
            self._start(trial)
        if len(self.failed) >= FAILURES:
            self.elsewhere = 0
        return begun

    def stop(self, *, patient: bool = True) -> None:
        """Ask all trials to save their state, wait until they have, and give them up for the next call."""
        self._wait(self.trials)
        for trial in list(self.trials):
            number, code = trial.claim.number, trial.ended()
            about = {"minutes": trial.minutes, "starts": trial.starts}
            try:
                if trial.read_metrics():
                    self.study.report(number, trial.values)
                if code == 0 and trial.best is not None:
                    self.study.finish(number, "COMPLETE", trial.best, **about)
                elif trial.pruned:
                    self.study.finish(number, "PRUNED", trial.best, pruned_at=len(trial.values), **about)
                else:
                    self.study.release(number, **about)
            except StorageDownError:
                if patient:
                    raise
            self._drop(trial)

    def _wait(self, trials: list[Trial]) -> None:
        while any(trial.runs for trial in trials):
            for trial in trials:
                trial.stop()
            time.sleep(TICK)


def run(
    study: Study, how: How, count: int, show: Callable[[Loop], None], tell: Callable[[str], None]
) -> None:
    """Run trials until `count` of the study are scored, then return; wait for those of other workers, too.

    Raises Interrupted after a signal, when every trial has saved its state; UserError when FAILURES trials in a row fail,
    no GPU is free, or the storage is down for OUTAGE seconds.
    """
    loop = Loop(study, how, count, show, tell)
    with signals.noted():
        try:
            while signals.pending() is None:
                if not _looked(loop):
                    break
                if loop.down is None:
                    show(loop)
                time.sleep(TICK)
        except BaseException:
            loop.stop(patient=False)
            raise
        if number := signals.pending():
            loop.stop()
            done = sum(one.state.name in SCORED for one in study.trials())
            raise Interrupted(number, f"after {done} of {count} trials; each running one saved its state")
    if len(loop.failed) >= FAILURES:
        raise UserError(
            f"{study.title}: {FAILURES} trials in a row failed, so it stops. The last one: {loop.failed[-1]} Fix the cause, "
            "then run the same command again: it goes on."
        )


def _looked(loop: Loop) -> bool:
    """Return what `Loop.look` says; True while the storage is down for a short time."""
    try:
        more = loop.look()
    except StorageDownError as error:
        if loop.down is None:
            loop.down = time.monotonic()
            loop.tell(f"{error} The trials go on, and so does the sweep when it is back.")
        if time.monotonic() - loop.down > OUTAGE or not loop.trials:
            raise
        time.sleep(ASK)
        return True
    if loop.down is not None:
        loop.tell("the storage is back.")
    loop.down = None
    return more
