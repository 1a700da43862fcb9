"""What `make sweep` and `make sweep-report` refuse, in one line, and what they print."""

import fcntl
import json
import os
import pty
import struct
import sys
import termios
from pathlib import Path

import pytest

from common.core.json_lines import read_lines
from common.sweep import gpus, table
from tests.faults.outcome import message_fault
from tests.support import postgres, sweeping
from tests.support.commands import failed, files, make, started
from tests.support.terminals import shown_on

pytestmark = pytest.mark.slow


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return sweeping.build(tmp_path / "repository")


def refused(root: Path, *parts: str, arguments: tuple[str, ...] = ("--count", "2"), **variables: str) -> None:
    """Check for one line with every part, and that nothing was made."""
    before = files(root)
    done = sweeping.sweep(root, *arguments, **variables)
    failed(done, *parts)
    assert not message_fault(done.stderr.strip()), done.stderr
    assert files(root) == before


def write_sweep(root: Path, text: str) -> None:
    (root / "experiments" / "exp001" / "sweep.yaml").write_text(text, encoding="utf-8")


def test_mistakes_in_the_sweep_file_are_found_before_a_trial_begins(root: Path) -> None:
    for old, new, *parts in (
        ("learning_rate", "learning_rat", "learning_rat", "Did you mean learning_rate?"),
        ("max: 1.0", "max: 2.0", "learning_rate", "2.0", "at most 1"),
        ("[8, 16, 20]", "[]", "width", "values"),
        ("method: random", "method: grid", "grid", "continuous"),
    ):
        write_sweep(root, sweeping.SWEEP.replace(old, new))
        refused(root, "sweep.yaml", *parts)


def test_what_cannot_work_is_refused_before_anything_is_written(root: Path) -> None:
    refused(root, "count= is missing", "run_cap", arguments=())
    other = root / "wide.yaml"
    other.write_text(sweeping.SWEEP, encoding="utf-8")
    refused(root, "make exp=exp001 sweep from=wide.yaml count=20", arguments=("--from", str(other)))
    refused(root, "name=", "lower-case", arguments=("--count", "2", "--name", "a-b"))
    refused(
        root,
        "no GPU left",
        "needs 1 GPU",
        "none",
        arguments=("--count", "2", "--gpus", "1"),
        CUDA_VISIBLE_DEVICES="",
    )
    refused(root, "no GPU left", "needs 3 GPUs", "2 (4, 6)", "jobs=2",
            arguments=("--count", "2", "--jobs", "3"), CUDA_VISIBLE_DEVICES="4,6")  # fmt: skip
    unreachable = "postgresql://me:hunter22@127.0.0.1:1/sweeps"
    refused(root, "storage=postgresql://127.0.0.1:1/sweeps", "cannot be used", KDS_STORAGE=unreachable)
    refused(
        root,
        "storage=mysql://127.0.0.1/sweeps",
        "PostgreSQL",
        KDS_STORAGE="mysql://me:hunter22@127.0.0.1/sweeps",
    )
    refused(
        root,
        "--storage",
        "looks like a name or password",
        "KDS_STORAGE",
        arguments=("--storage", unreachable),
    )
    hidden = root.parent / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(
        "import sys\n\nclass Finder:\n    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'optuna':\n            raise ModuleNotFoundError(name)\n\n"
        "import importlib.util\nown = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, package=None: None if name == 'optuna' else own(name, package)\n",
        encoding="utf-8",
    )
    path = os.pathsep.join([str(hidden), os.environ["PYTHONPATH"]])
    refused(root, "needs optuna, which is not installed", ".venv/bin/pip install", PYTHONPATH=path)


def test_a_study_of_another_recipe_is_named_and_refused_unless_told(root: Path) -> None:
    assert sweeping.sweep(root, "--count", "1").returncode == 0
    more = ("--count", "2")
    train, config = (root / "experiments" / "exp001" / f"{name}.py" for name in ("train", "config"))
    text = train.read_text(encoding="utf-8")
    train.write_text(text.replace("peak = 50", "peak = 60"), encoding="utf-8")
    refused(root, "code experiments/exp001/train.py has changed", "stale=ok", "name=", arguments=more)
    train.write_text(f"# a comment changes nothing\n{text}", encoding="utf-8")
    settings = config.read_text(encoding="utf-8")
    config.write_text(settings.replace("epochs=4", "epochs=3"), encoding="utf-8")
    refused(root, "training.epochs was 4.0, is 3.0", arguments=more)
    config.write_text(settings, encoding="utf-8")
    write_sweep(root, sweeping.SWEEP.replace("max: 1.0", "max: 0.5"))
    refused(root, "parameters.training.learning_rate was", "is", arguments=more)
    write_sweep(root, sweeping.SWEEP)
    data = root / "competitions" / "talk" / "data" / "dev.csv"
    data.write_bytes(data.read_bytes().replace("우산".encode(), "양산".encode()))
    refused(root, "data competitions/talk/data/dev.csv has changed", arguments=more)
    done = sweeping.sweep(root, *more, "--stale", "ok")
    assert done.returncode == 0, done.stderr
    assert "2 versions of the recipe" in done.stdout
    assert [one["version"] for one in sweeping.reported(root)["trials"]] == [1, 2]
    assert sweeping.sweep(root, "--count", "3").returncode == 0  # the new recipe is now its own


def test_code_that_changes_while_a_sweep_runs_stops_it(root: Path) -> None:
    write_sweep(root, sweeping.SWEEP + "  seconds: {value: 0.3}\n")
    train = root / "experiments" / "exp001" / "train.py"
    text = train.read_text(encoding="utf-8")
    worker = sweeping.start(root, "--count", "3")
    sweeping.wait_for(lambda: len(read_lines(sweeping.run_folder(root, 0) / "metrics.jsonl")) > 1)
    train.write_text(text.replace("peak = 50", "peak = 60"), encoding="utf-8")
    _, err = worker.communicate(timeout=100)
    assert worker.returncode == 1, err
    assert err.count("error: ") == 1
    assert "code experiments/exp001/train.py was changed while the sweep of exp001 runs, so it stops" in err
    train.write_text(text, encoding="utf-8")
    assert sweeping.sweep(root, "--count", "3").returncode == 0
    for one in sweeping.reported(root)["trials"]:
        settings = one["settings"]
        peak = 50 - 100 * abs(settings["training.learning_rate"] - 0.3) - abs(settings["width"] - 20)
        assert one["value"] == pytest.approx(max(peak, peak / 4))


def test_each_trial_gets_a_gpu_of_its_own(root: Path) -> None:
    write_sweep(root, sweeping.SWEEP + "  seconds: {value: 0.4}\n")
    done = sweeping.sweep(root, "--count", "4", "--jobs", "2", CUDA_VISIBLE_DEVICES="5,7")
    assert done.returncode == 0, done.stderr
    given = [read_lines(sweeping.run_folder(root, n) / "starts.jsonl")[0]["gpus"] for n in range(4)]
    assert set(given) == {"5", "7"}
    assert given[0] != given[1]
    shared = sweeping.sweep(root, "--count", "5", "--gpus", "0", CUDA_VISIBLE_DEVICES="5,7")
    assert shared.returncode == 0, shared.stderr
    assert read_lines(sweeping.run_folder(root, 4) / "starts.jsonl")[0]["gpus"] == "5,7"


def test_the_gpus_of_another_sweep_are_not_taken(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    lent = gpus.lend(2)
    assert lent is not None
    assert lent.names == ("5", "7")
    assert gpus.lend(1) is None
    done = sweeping.sweep(root, "--count", "1")
    failed(done, "no GPU left", "(5, 7)", "gpus=0")
    lent.give_back()
    again = gpus.lend(1)
    assert again is not None
    assert again.names == ("5",)
    again.give_back()


def test_a_grid_ends_when_every_combination_has_a_score(root: Path) -> None:
    write_sweep(
        root,
        "method: grid\nmetric: {name: rouge_sum, goal: maximize}\nparameters:\n  learning_rate: {values: [0.1, 0.3]}\n"
        "  width: {values: [16, 20]}\n",
    )
    done = sweeping.sweep(root, "--jobs", "2")
    assert done.returncode == 0, done.stderr
    assert "4 of 4 trials" in done.stdout
    found = sweeping.reported(root)
    chosen = {
        (one["settings"]["training.learning_rate"], one["settings"]["width"]) for one in found["trials"]
    }
    assert chosen == {(0.1, 16), (0.1, 20), (0.3, 16), (0.3, 20)}
    assert found["trials"][found["best"]]["settings"]["width"] == 20
    assert "4 of 4 trials" in sweeping.sweep(root, "--count", "9").stdout


def test_make_runs_a_sweep_and_shows_its_report(root: Path) -> None:
    trained = make(root, "exp=exp001", "train")  # with other settings than any trial; it is not in the way
    assert trained.returncode == 0, trained.stderr
    done = make(root, "exp=exp001", "sweep", "count=5", "jobs=2", "storage=file")
    assert done.returncode == 0, done.stderr
    assert "Next: make exp=exp001 sweep-report" in done.stdout
    runs = make(root, "runs")
    assert "exp001-sweep_004" in runs.stdout
    report = make(root, "exp=exp001", "sweep-report", "top=3")
    assert report.returncode == 0, report.stderr
    found = sweeping.reported(root)
    best = found["trials"][found["best"]]
    assert f"{best['value']:.2f}" in report.stdout
    assert best["interval"][0] <= best["score"] <= best["interval"][1]
    assert "95 % interval" in report.stdout
    assert "share of the variance of rouge_sum" in report.stdout
    assert sum(found["importance"].values()) == pytest.approx(1)
    assert f"trial {found['best']}" in report.stdout  # the winner's settings beside the recipe's
    assert f"make exp=exp001 infer run={best['run']}" in report.stdout
    assert found["flattery"]["seen_rows"] == found["flattery"]["unseen_rows"] == 1  # half of dev's two rows
    assert sum(one["score"] is not None for one in found["trials"]) == 4  # one of them as a control
    plain = started(root, sys.executable, "-m", "common", "sweep-report", "exp001", "--top", "0", "--json")
    assert json.loads(plain.stdout)["trials"][0]["number"] == 0


def test_a_password_that_make_gets_is_neither_shown_nor_handed_on(root: Path) -> None:
    with postgres.server() as database:
        done = make(root, "exp=exp001", "sweep", "count=1", f"storage={database.url}")
        assert done.returncode == 0, done.stderr
        report = make(root, "exp=exp001", "sweep-report", "top=0", f"storage={database.url}")
        assert report.returncode == 0, report.stderr
        wrong = database.url.replace(database.password, "hunter22")
        failed(
            make(root, "exp=exp001", "sweep", "count=2", f"storage={wrong}"),
            "password authentication failed",
            code=2,
        )
    said = done.stdout + done.stderr + report.stdout + report.stderr
    assert database.password not in said + wrong
    assert database.password.encode() not in b"".join(files(root).values())
    assert read_lines(sweeping.run_folder(root, 0) / "starts.jsonl")[0]["storage"] == []


def test_a_report_shows_the_study_of_another_sweep_file_as_it_is(root: Path) -> None:
    other = root / "other.yaml"
    text = "method: grid\nmetric: {name: train_loss, goal: minimize}\nparameters:\n  width: {values: [8, 16]}\n  seconds: {value: 0.01}\n"
    other.write_text(text, encoding="utf-8")
    done = sweeping.sweep(root, "--name", "lr", "--from", str(other))
    assert done.returncode == 0, done.stderr
    report = make(root, "exp=exp001", "name=lr", "sweep-report", "top=0")
    assert report.returncode == 0, report.stderr
    found = sweeping.reported(root, "lr")
    assert (found["metric"], found["goal"], found["method"]) == ("train_loss", "minimize", "grid")
    assert found["searched"] == ["width"]  # not the learning rate of the experiment's own file
    assert found["trials"][found["best"]]["value"] == min(one["value"] for one in found["trials"])
    assert [len(line.split()) for line in report.stdout.splitlines() if line[:1].isdigit()] == [5]
    assert "'–'" not in report.stdout
    refused(
        root,
        "sweep file: method was 'grid', is 'random'",
        "from=",
        arguments=("--count", "2", "--name", "lr"),
    )


def test_a_setting_that_a_trial_lacks_is_a_dash() -> None:
    assert table.setting_text({"a": None, "b": "–"}, "c") == "–"


def test_there_is_nothing_to_report_before_a_sweep(root: Path) -> None:
    failed(
        started(root, sys.executable, "-m", "common", "sweep-report", "exp001", "--name", "lr"),
        "no sweep with this name", "make exp=exp001 name=lr sweep",
    )  # fmt: skip


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_the_table_fits_the_terminal_while_the_sweep_runs(root: Path, columns: int) -> None:
    write_sweep(root, sweeping.SWEEP + "  seconds: {value: 0.4}\n")
    master, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = sweeping.start(root, "--count", "3", stderr=end, TERM="xterm")
    os.close(end)
    out, _ = process.communicate(timeout=100)
    shown = shown_on(master)
    assert process.returncode == 0
    assert "running" in shown
    assert "\x1b[J" in shown
    assert "3 of 3 trials" in out
    plain = [line.replace("\x1b[J", "") for line in shown.split("\n")]
    for line in plain:
        text = "".join(part.partition("m")[2] if i else part for i, part in enumerate(line.split("\x1b[")))
        assert len(text) <= columns, text
