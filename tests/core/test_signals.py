"""Signals: what a process of our own does when it gets one."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from common.core import distributed, signals
from common.core.signals import Interrupted
from tests.support import REPOSITORY

NUMBERS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture(autouse=True)
def _restored() -> None:
    for number in NUMBERS:  # a shell may have started the tests with signals ignored
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_is_raised_with_its_exit_code(number: signal.Signals) -> None:
    before = [signal.getsignal(each) for each in NUMBERS]
    with pytest.raises(Interrupted) as stop, signals.raised():
        os.kill(os.getpid(), number)
        time.sleep(5)
    assert stop.value.code == 128 + number
    assert str(stop.value) == f"interrupted by {number.name}; run the same command again."
    assert [signal.getsignal(each) for each in NUMBERS] == before


def test_a_noted_signal_waits_for_the_code_and_is_raised_at_the_end() -> None:
    done = []
    with pytest.raises(Interrupted) as stop, signals.raised():
        with signals.noted():
            assert signals.pending() is None
            os.kill(os.getpid(), signal.SIGTERM)
            assert signals.pending() == distributed.agreed_signal() == signal.SIGTERM
            os.kill(os.getpid(), signal.SIGTERM)  # at once again: the same signal, passed on by make
            done.append("the step")
        done.append("never")
    assert done == ["the step"]
    assert stop.value.number == signal.SIGTERM
    assert signals.pending() is None


def test_a_repeated_signal_does_not_disturb_the_end() -> None:
    with pytest.raises(Interrupted, match=r"^interrupted by SIGINT after step 3; run"), signals.raised():
        try:
            with signals.noted():
                os.kill(os.getpid(), signal.SIGINT)
                raise Interrupted(signal.SIGINT, "after step 3")
        finally:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)


def test_what_was_ignored_stays_ignored() -> None:
    """As under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals.raised(), signals.noted():
            os.kill(os.getpid(), signal.SIGHUP)
            assert signals.pending() is None
    finally:
        signal.signal(signal.SIGHUP, before)


def started(
    tmp_path: Path, code: str, *, module: bool = False, **environment: str
) -> "subprocess.Popen[str]":
    """Start a Python script, with `module` through launch.py; it says "ready" on stdout when it wants a signal."""
    (tmp_path / "script.py").write_text(code, encoding="utf-8")
    command = ["-m", "common.core.launch", "script"] if module else ["script.py"]
    process = subprocess.Popen(
        [sys.executable, *command, "--word"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{tmp_path}", **environment},
        preexec_fn=lambda: [signal.signal(number, signal.SIG_DFL) for number in NUMBERS],
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


IMPORTING = "print('ready', flush=True)\nimport time\ntime.sleep(60)\n"
NOTING = """
import time
from common.core import distributed, signals
with signals.raised(), signals.told("wait."), signals.noted():
    print("ready", flush=True)
    while not signals.pending():
        time.sleep(0.01)
    print("noted", flush=True)
    time.sleep(SECONDS)
    print("done", flush=True)
"""


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_during_the_imports_is_one_line(tmp_path: Path, number: signal.Signals) -> None:
    process = started(tmp_path, IMPORTING, module=True)
    process.send_signal(number)
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, output) == (128 + number, "")
    assert errors == f"interrupted by {number.name} before any work; run the same command again.\n"


def test_other_processes_of_a_group_end_without_a_word(tmp_path: Path) -> None:
    process = started(tmp_path, IMPORTING, module=True, RANK="1", WORLD_SIZE="2")
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30) == ("", "")
    assert process.returncode == -signal.SIGINT


def test_a_launched_module_is_what_python_m_starts(tmp_path: Path) -> None:
    code = (
        "import os, sys\nprint('ready')\nprint(__name__, __spec__.name, sys.argv, sys.modules['__main__'].__file__)\n"
        "print(os.environ['PYTORCH_ALLOC_CONF'])\n"
    )
    process = started(tmp_path, code, module=True)
    script = str(tmp_path / "script.py")
    # Not communicate(), which misses what readline() has already read ahead.
    assert process.stdout is not None
    assert (
        process.stdout.read() == f"__main__ script {[script, '--word']} {script}\nexpandable_segments:True\n"
    )
    assert process.wait(30) == 0


def test_one_signal_lets_the_work_finish(tmp_path: Path) -> None:
    process = started(tmp_path, NOTING.replace("SECONDS", "0.2"))
    process.send_signal(signal.SIGHUP)
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, output, errors) == (129, "noted\ndone\n", "interrupted by SIGHUP; wait.\n")


def test_a_signal_after_the_work_does_not_undo_it(tmp_path: Path) -> None:
    code = "from common.core import signals\nimport time\nwith signals.raised(), signals.told():\n    pass\n"
    process = started(
        tmp_path, code + "print('ready', flush=True)\ntime.sleep(0.5)\nprint('ended')\n", module=True
    )
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, output, errors) == (0, "ended\n", "")


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    process = started(tmp_path, NOTING.replace("SECONDS", "60"))
    process.send_signal(signal.SIGTERM)
    assert process.stdout is not None
    assert process.stdout.readline() == "noted\n"
    time.sleep(signals.REPEATED + 0.1)
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, output, errors) == (143, "", "")


def test_a_signal_that_waits_during_a_replacement_arrives_afterwards(tmp_path: Path) -> None:
    """Between a command and the program that replaces it, Python itself would end with a traceback."""
    code = (
        "import os, signal\nfrom common.core import launch, signals\n"
        "print('ready', flush=True)\nsignals.hold()\nos.kill(os.getpid(), signal.SIGINT)\nlaunch.become('this')\n"
    )
    process = started(tmp_path, code)
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, output) == (130, "")
    assert errors == "interrupted by SIGINT before any work; run the same command again.\n"


def test_an_interrupt_that_python_itself_raises_ends_a_command_in_the_same_way(tmp_path: Path) -> None:
    """A library may have put Python's own handler in place of ours; click would say only "Aborted!"."""
    code = (
        "import signal, time, click\nfrom common.core.command_line import run_command\n"
        "@click.command()\n@click.option('--word', is_flag=True)\ndef command(word):\n"
        "    signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "    print('ready', flush=True)\n    time.sleep(60)\nrun_command(command, 'it')\n"
    )
    process = started(tmp_path, code)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, output) == (130, "")
    assert errors.strip() == "interrupted by SIGINT; run the same command again."


def test_make_is_interrupted_without_a_traceback_while_its_script_imports(tmp_path: Path) -> None:
    (tmp_path / "shlex.py").write_text("import time\nprint('ready', flush=True)\ntime.sleep(60)\n")
    process = subprocess.Popen(
        [sys.executable, str(REPOSITORY / "common" / "cli" / "make.py"), "list"], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(tmp_path)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30) == ("", "")
    assert process.returncode == -signal.SIGINT


def test_an_interrupt_removes_the_bars_before_its_line(tmp_path: Path) -> None:
    code = (
        "import sys\nsys.stderr.isatty = lambda: True\nfrom common.core import signals\n"
        "from common.core.progress import brief_progress\nimport time\n"
        "with signals.raised(), signals.told():\n    bar = brief_progress(9, 'check rows', 'row')\n    bar.update()\n"
        "    print('ready', flush=True)\n    time.sleep(60)\n"
    )
    process = started(tmp_path, code)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    *_, shown, cleared, line = errors.splitlines()  # text mode makes line breaks of carriage returns
    assert (process.returncode, shown[:10], cleared.strip()) == (130, "check rows", "")
    assert line == "interrupted by SIGINT; run the same command again."


def test_a_signal_inside_a_finalizer_is_not_lost() -> None:
    """Python ignores an exception there, so that the work went on as if nobody had interrupted it."""
    code = """
import os, signal, time
from common.core import signals

class Closed:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)

with signals.raised():
    Closed()
    time.sleep(20)
    print("went on")
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (128 + signal.SIGTERM, ""), ended
    assert "Exception ignored" not in ended.stderr
