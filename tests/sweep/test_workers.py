"""Real workers with real trials: killed, interrupted, on several machines; no trial is lost or doubled."""

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from common.core.json_lines import read_lines
from tests.support import postgres, sweeping
from tests.support.commands import files

pytestmark = pytest.mark.slow


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return sweeping.build(tmp_path / "repository")


def slower(root: Path, seconds: float) -> None:
    """Let each evaluation of a trial take this long."""
    path = root / "experiments" / "exp001" / "sweep.yaml"
    path.write_text(path.read_text(encoding="utf-8") + f"  seconds: {{value: {seconds}}}\n", encoding="utf-8")


def trials(root: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sweeping.reported(root)["trials"]
    return found


def began(root: Path, number: int, evaluations: int = 1) -> Callable[[], bool]:
    """Whether a trial has been evaluated that often."""
    return lambda: len(read_lines(sweeping.run_folder(root, number) / "metrics.jsonl")) >= evaluations


def require_whole(root: Path, count: int) -> None:
    """Check that each of `count` trials is there once, complete, with every evaluation once, and its best value as its score."""
    found = trials(root)
    assert [one["number"] for one in found] == list(range(count))
    assert {one["state"] for one in found} == {"complete"}
    assert len({json.dumps(one["settings"], sort_keys=True) for one in found}) == count
    for one in found:
        settings = one["settings"]
        peak = 50 - 100 * abs(settings["training.learning_rate"] - 0.3) - abs(settings["width"] - 20)
        assert one["evaluations"] == pytest.approx([peak * n / 4 for n in range(1, 5)])
        assert one["value"] == pytest.approx(max(one["evaluations"]))


def process_of(root: Path, number: int) -> int | None:
    """The id of the process that trains a trial of this repository; None when there is none."""
    name = sweeping.run_folder(root, number).name
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode().split("\0")
            own = f"KDS_ROOT={root}" in (folder / "environ").read_bytes().decode().split("\0")
        except (OSError, UnicodeDecodeError):
            continue
        if own and "experiments.exp001.train" in words and name in words:
            return int(folder.name)
    return None


def trains(worker: "subprocess.Popen[str]", root: Path) -> Callable[[], bool]:
    """Whether a worker has a trial of its own that was evaluated, but not to its end."""

    def found() -> bool:
        for number in range(20):
            process = process_of(root, number)
            if process and began(root, number)() and not began(root, number, 3)():
                try:
                    fields = (
                        Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
                    )
                except OSError:
                    continue
                if int(fields[1]) == worker.pid:
                    return True
        return False

    return found


def test_a_second_call_goes_on_and_a_third_has_nothing_to_do(root: Path) -> None:
    assert sweeping.sweep(root, "--count", "2").returncode == 0
    first = trials(root)
    done = sweeping.sweep(root, "--count", "5", "--jobs", "2")
    assert done.returncode == 0, done.stderr
    assert "5 of 5 trials" in done.stdout
    assert trials(root)[:2] == first
    require_whole(root, 5)
    assert "trial 1:" not in done.stderr
    assert "trial 4: complete" in done.stderr
    before = files(root / "outputs" / "talk" / "exp001-sweep_004")
    assert sweeping.sweep(root, "--count", "5").returncode == 0
    require_whole(root, 5)
    assert files(root / "outputs" / "talk" / "exp001-sweep_004") == before


def test_the_choice_of_settings_is_the_same_with_one_worker_and_with_two(root: Path, tmp_path: Path) -> None:
    other = sweeping.build(tmp_path / "other")
    assert sweeping.sweep(root, "--count", "4").returncode == 0
    assert sweeping.sweep(other, "--count", "4", "--jobs", "2").returncode == 0
    assert [one["settings"] for one in trials(root)] == [one["settings"] for one in trials(other)]


def test_the_trials_of_a_killed_worker_are_resumed_by_the_other(root: Path) -> None:
    slower(root, 0.6)
    first = sweeping.start(root, "--count", "6")
    second = sweeping.start(root, "--count", "6")
    sweeping.wait_for(trains(second, root))
    second.send_signal(signal.SIGKILL)
    second.communicate()
    out, err = first.communicate(timeout=200)
    assert first.returncode == 0, err
    assert "6 of 6 trials" in out
    require_whole(root, 6)
    killed = [n for n in range(6) if len(read_lines(sweeping.run_folder(root, n) / "starts.jsonl")) > 1]
    assert len(killed) == 1
    # It was resumed: no evaluation was repeated.
    assert sweeping.steps(sweeping.run_folder(root, killed[0])) == [1, 2, 3, 4]


def test_a_sweep_whose_only_worker_was_killed_goes_on_with_the_same_command(root: Path) -> None:
    slower(root, 0.6)
    worker = sweeping.start(root, "--count", "3", "--jobs", "2")
    sweeping.wait_for(began(root, 1, 2))
    worker.send_signal(signal.SIGKILL)
    worker.communicate()
    journal = root / "outputs" / "talk" / "sweeps" / "exp001-sweep" / "journal.jsonl"
    with journal.open("ab") as file:
        file.write(b'{"op_code":8,"worker_id":"torn')  # as a kill in the middle of a write leaves it
    done = sweeping.sweep(root, "--count", "3")
    assert done.returncode == 0, done.stderr
    require_whole(root, 3)
    assert sweeping.steps(sweeping.run_folder(root, 1)) == [1, 2, 3, 4]


def test_workers_that_are_killed_again_and_again_lose_and_double_nothing(root: Path) -> None:
    slower(root, 0.1)
    chance = random.Random(1)
    asked = ("--count", "8", "--jobs", "2", "--beat", "1")
    both = [sweeping.start(root, *asked) for _ in range(2)]
    for _ in range(6):
        time.sleep(chance.uniform(1, 6))
        place = chance.randrange(2)
        if both[place].poll() is None:
            both[place].kill()
            both[place].communicate()
            both[place] = sweeping.start(root, *asked)
    for worker in both:
        _, err = worker.communicate(timeout=200)
        assert worker.returncode == 0, err
    require_whole(root, 8)


def test_what_a_trial_wrote_after_its_worker_died_is_not_lost(root: Path) -> None:
    slower(root, 0.4)
    worker = sweeping.start(root, "--count", "1")
    sweeping.wait_for(began(root, 0))
    worker.send_signal(signal.SIGSTOP)
    record = sweeping.run_folder(root, 0) / "run.json"
    sweeping.wait_for(lambda: '"finished"' in record.read_text(encoding="utf-8"))
    worker.send_signal(signal.SIGKILL)
    worker.communicate()
    assert sweeping.sweep(root, "--count", "1").returncode == 0
    require_whole(root, 1)
    assert len(read_lines(sweeping.run_folder(root, 0) / "starts.jsonl")) == 1  # it was trained once


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_the_trials_and_the_same_command_goes_on(root: Path, number: signal.Signals) -> None:
    slower(root, 0.6)
    worker = sweeping.start(root, "--count", "2", "--jobs", "2")
    sweeping.wait_for(began(root, 1))
    worker.send_signal(number)
    _, err = worker.communicate(timeout=60)
    assert worker.returncode == 128 + number, err
    assert err.count("interrupted by") == 1
    assert f"interrupted by {number.name} after 0 of 2 trials; each running one saved its state" in err
    assert sweeping.sweep(root, "--count", "2").returncode == 0
    require_whole(root, 2)
    for trial in (0, 1):
        assert len(read_lines(sweeping.run_folder(root, trial) / "starts.jsonl")) == 2
        assert sweeping.steps(sweeping.run_folder(root, trial)) == [1, 2, 3, 4]


def test_a_trial_that_is_killed_is_resumed_twice_and_then_marked(root: Path) -> None:
    slower(root, 0.5)
    worker = sweeping.start(root, "--count", "1")
    dead: set[int] = set()

    def killed() -> bool:
        found = process_of(root, 0)
        starts = len(read_lines(sweeping.run_folder(root, 0) / "starts.jsonl"))
        if found and found not in dead and starts == len(dead) + 1:
            os.kill(found, signal.SIGKILL)
            dead.add(found)
        return len(dead) == 3

    sweeping.wait_for(killed)
    out, err = worker.communicate(timeout=100)
    assert worker.returncode == 0, err
    assert err.count("was killed from outside") == 2
    assert [one["state"] for one in trials(root)] == ["failed", "complete"]  # another one takes its place
    assert "ended by SIGKILL 3 times" in trials(root)[0]["reason"]
    assert "1 of 1 trial, 1 failed" in out


def test_a_sweep_stops_when_every_trial_fails(root: Path) -> None:
    slower(root, 0.1)
    path = root / "experiments" / "exp001" / "sweep.yaml"
    path.write_text(path.read_text(encoding="utf-8") + "  fail: {value: true}\n", encoding="utf-8")
    done = sweeping.sweep(root, "--count", "10")
    assert done.returncode == 1
    assert done.stderr.count("error: ") == 1
    assert "3 trials in a row failed, so it stops" in done.stderr
    assert "this setting cannot be trained; choose another one." in done.stderr
    assert [one["state"] for one in trials(root)] == ["failed"] * 3


def test_pruning_saves_evaluations_and_finds_the_same_best_trial(root: Path, tmp_path: Path) -> None:
    stop = "early_terminate: {type: hyperband, min_iter: 1, eta: 2}\n"
    other = sweeping.build(tmp_path / "other", stop + sweeping.SWEEP)
    for place in (root, other):
        slower(place, 1.0)
        assert sweeping.sweep(place, "--count", "6", "--jobs", "2").returncode == 0
    everything, pruned = sweeping.reported(root), sweeping.reported(other)
    assert {one["state"] for one in pruned["trials"]} == {"complete", "pruned"}
    assert [one["settings"] for one in everything["trials"]] == [one["settings"] for one in pruned["trials"]]
    assert pruned["best"] == everything["best"]
    best = pruned["trials"][pruned["best"]]
    assert best["value"] == everything["trials"][pruned["best"]]["value"]
    made = [sum(len(one["evaluations"]) for one in found["trials"]) for found in (everything, pruned)]
    assert made[0] == 24
    assert made[1] <= 20
    stopped = next(one for one in pruned["trials"] if one["state"] == "pruned")
    assert stopped["pruned_at"] == len(stopped["evaluations"]) < 4
    note = sweeping.run_folder(other, stopped["number"]) / "note.txt"
    assert "stopped early after evaluation" in note.read_text(encoding="utf-8")


def test_two_clones_share_a_study_in_postgresql_and_one_takes_over_from_the_other(
    root: Path, tmp_path: Path
) -> None:
    other = sweeping.build(tmp_path / "other")
    for place in (root, other):
        slower(place, 0.5)
    with postgres.server() as database:
        own = {"KDS_STORAGE": database.url}
        first = sweeping.start(root, "--count", "6", **own)
        second = sweeping.start(other, "--count", "6", **own)
        sweeping.wait_for(
            lambda: any(began(root, n)() for n in range(3)) and any(began(other, n)() for n in range(3))
        )
        second.send_signal(signal.SIGKILL)
        told = second.communicate()
        out, err = first.communicate(timeout=200)
        assert first.returncode == 0, err
        require_whole(root, 6)
        there = {n for n in range(6) if sweeping.run_folder(root, n).is_dir()}
        assert there | {n for n in range(6) if sweeping.run_folder(other, n).is_dir()} == set(range(6))
        assert any(sweeping.run_folder(other, n).is_dir() for n in range(6))
        # The other clone sees the same study.
        done = sweeping.sweep(other, "--count", "6", **own)
        assert done.returncode == 0, done.stderr
        require_whole(other, 6)
        refused = sweeping.sweep(root, "--count", "7")
        assert "is stored in postgresql://127.0.0.1" in refused.stderr
        assert refused.returncode == 1
    everything = b"".join(content for place in (root, other) for content in files(place).values())
    said = "".join([out, err, *told, done.stdout, done.stderr, refused.stderr]).encode()
    assert database.password.encode() not in everything + said
    assert read_lines(sweeping.run_folder(root, min(there)) / "starts.jsonl")[0]["storage"] == []


def test_a_sweep_survives_a_restart_of_the_database(root: Path) -> None:
    slower(root, 1.0)
    with postgres.server() as database:
        worker = sweeping.start(root, "--count", "2", KDS_STORAGE=database.url)
        sweeping.wait_for(began(root, 0))
        database.stop()
        sweeping.wait_for(began(root, 0, 3))
        database.start()
        _, err = worker.communicate(timeout=200)
        assert worker.returncode == 0, err
        assert err.count("The trials go on") == 1
    require_whole(root, 2)


BLOCKED = """
import socket
from pathlib import Path

own = socket.socket.connect


def connect(self, address):
    if self.family != socket.AF_UNIX:
        Path({log!r}).open("a").write(repr(address))
        raise OSError("no network in this test")
    return own(self, address)


socket.socket.connect = connect
"""


def test_without_wandb_a_sweep_needs_no_network(root: Path, tmp_path: Path) -> None:
    log = tmp_path / "connections"
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(BLOCKED.format(log=str(log)), encoding="utf-8")
    path = os.pathsep.join([str(tmp_path / "site"), os.environ["PYTHONPATH"]])
    done = sweeping.sweep(root, "--count", "2", PYTHONPATH=path)
    assert done.returncode == 0, done.stderr
    assert not log.exists()
    require_whole(root, 2)
