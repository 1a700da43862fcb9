"""`python -m common …` as a user opens it: real processes."""

import json
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from click.testing import CliRunner

from common import cli
from common.submission import ledger
from tests.support.commands import Ended, failed, files, make, started
from tests.support.disk import immutable


def common(repository: Path, *words: str) -> Ended:
    return started(repository, sys.executable, "-m", "common", *words)


def all_of(repository: Path, *commands: tuple[str, ...]) -> list[Ended]:
    """Several `python -m common` at once: starting one takes a while."""
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda words: common(repository, *words), commands))


def test_mistakes_get_one_message_and_change_nothing(repository: Path) -> None:
    before = files(repository)
    mistakes: list[tuple[tuple[str, ...], int, tuple[str, ...]]] = [
        (("submt",), 2, ("No such command 'submt'", "Did you mean 'submit'?")),
        (("train", "exp999"), 1, ("'exp999' does not exist", "exp001, exp002", "make new")),
        (("train", "x; touch PWNED"), 1, ("'x; touch PWNED'", "wanted exp and three digits")),
        (("infer", "../exp001"), 1, ("wanted exp and three digits",)),
        (("train",), 2, ("Missing argument 'EXPERIMENT'",)),
        (("use", "--competition", "tlak"), 1, ("no competition 'tlak'", "Did you mean talk?")),
        (("data", "--competition", "talk", "--from", "nowhere"), 1, ("nowhere: not there",)),
        (("score", "--predictions", "none.csv"), 1, ("none.csv: not there",)),
        (("score", "--predictions", "x", "--split", "train"), 2, ("'train' is not one of 'dev', 'test'",)),
        (("submit", "--blend", "../talk"), 1, ("wanted the name of a file in submissions/",)),
        (("submit", "--blend", "none"), 1, ("submissions/none.toml: file not found", "recipes here: talk")),
        (("submit", "--missing", "yes"), 2, ("'yes' is not one of 'stop', 'train'",)),
        (
            ("submit", "--jobs", "\x1b[2J"),
            2,
            ("error: Invalid value for '--jobs': '\\x1b[2J'", "See: python -m common submit --help"),
        ),
        (("submit", "--blend", "long_" * 60), 1, ("cannot be read (File name too long)",)),
        (("postprocess", "--run", "exp001-" + "a" * 81), 1, ("NAME has 1 to 80 of the characters",)),
        (("track", "nowhere"), 1, ("nowhere: not there, not a run folder; wanted outputs/COMPETITION/RUN",)),
        (("track", "long_" * 60), 1, ("cannot be read (File name too long)",)),
        (("track", "/dev/zero"), 1, ("/dev/zero: is a device, not a run folder",)),
        (("lb", "--id", "abc", "--public", "9" * 400), 2, ("inf is not in the range 0<=x<=100",)),
        (("lb", "--id", "abc", "--public", "70"), 1, ("nothing was submitted yet; first run: make submit",)),
        (("lb", "--id", "abc", "--public", "high"), 2, ("'high' is not a valid float",)),
        (("smoke", "exp9"), 1, ("wanted exp and three digits",)),
        (("new", "exp1", "--from", "exp001"), 1, ("'exp1'", "as in exp015")),
        (("new", "../exp015", "--from", "exp001"), 1, ("'../exp015'",)),
        (("new", "exp002", "--from", "exp001"), 1, ("experiments/exp002 already exists", "another number")),
        (("new", "exp015", "--from", "exp012"), 1, ("'exp012' does not exist",)),
    ]
    for ended, (_, code, parts) in zip(
        all_of(repository, *(words for words, _, _ in mistakes)), mistakes, strict=True
    ):
        failed(ended, *parts, code=code)
        assert len(ended.stderr.splitlines()) == 1, ended
        assert ended.stderr.rstrip("\n").isprintable()
    assert files(repository) == before


def test_every_command_explains_itself(repository: Path) -> None:
    names = [
        "doctor",
        "data",
        "use",
        "list",
        "train",
        "infer",
        "new",
        "smoke",
        "score",
        "compare",
        "submit",
        "leaderboard",
        "lb",
        "pick",
        "reproduce",
        "results",
        "settings",
        "track",
        "docs",
        "augment",
        "leaks",
        "stats",
        "postprocess",
        "merge",
        "runs",
        "note",
        "archive",
        "restore",
        "export",
        "import",
        "predict",
        "validate",
        "register",
        "upload",
        "report",
        "sweep",
        "watch",
    ]
    top = common(repository, "--help")
    assert (top.returncode, top.stderr) == (0, "")
    assert re.findall(r"(?m)^  ([a-z]+)  ", top.stdout) == sorted(names)
    assert "..." not in top.stdout.partition("Commands:")[2]  # no one-line meaning is cut off
    for name in names:  # without a process each: only --help is asked
        ended = CliRunner().invoke(cli.commands, [name, "--help"])
        assert ended.exit_code == 0
        assert "--help" in ended.stdout


def test_the_whole_walk_with_json(repository: Path) -> None:
    listed, shown, empty = all_of(repository, ("list", "--json"), ("list",), ("leaderboard",))
    found = json.loads(listed.stdout)
    assert (found["competition"], found["profile"]) == ("talk", "leaderboard")
    assert [e["name"] for e in found["experiments"]] == ["exp001", "exp002"]
    assert all(isinstance(e["dev"], float) for e in found["experiments"])
    assert "exp002 of the tests" in shown.stdout
    assert "nothing submitted yet; make one with: make submit" in empty.stdout

    submitted = common(repository, "submit", "--json")
    entry = json.loads(submitted.stdout)
    assert ledger.entries() == [entry]
    predictions = "outputs/talk/exp001/dev/predictions.csv"
    score, lb, text = all_of(
        repository,
        ("score", "--predictions", predictions, "--json"),
        ("lb", "--id", entry["id"][:4], "--public", "71.5"),
        ("score", "--predictions", predictions, "--profile", "korouge"),
    )
    report = json.loads(score.stdout)
    assert (
        {s["profile"] for s in report["scores"]}
        == set(report["floors"])
        == {"leaderboard", "rouge101", "korouge"}
    )
    assert "71.5" in lb.stdout
    assert text.stdout.startswith("korouge 0.0000 ± 0.0000, 0.1778 BELOW the floor of 0.1778\n")
    assert text.stdout.endswith(f"{predictions}: predictions for talk dev\nNext: make submit\n")

    board, table = all_of(repository, ("leaderboard", "--json"), ("leaderboard",))
    [listed_entry] = json.loads(board.stdout)
    [trust] = listed_entry.pop("dev_against_site")  # one submission says little
    assert listed_entry == ledger.entries()[0] and trust["submissions"] == [listed_entry["id"]]
    assert ledger.entries()[0]["lb"] == {"public": 71.5}
    assert "71.50" in table.stdout
    assert "70 · 75 · 78 · 80 ·" in table.stdout
    for name in ("floor", "exp001", "exp002", "blend"):
        assert re.search(rf"(?m)^{name} ", table.stdout)


def test_a_new_experiment_is_a_copy_that_runs(repository: Path) -> None:
    (repository / "experiments/exp001/__pycache__").mkdir()
    ended = make(repository, "new", "exp=exp015", "from=exp001")
    assert ended.returncode == 0, ended
    assert "experiments/exp015 is a copy of exp001" in ended.stdout
    copied = repository / "experiments" / "exp015"
    assert sorted(p.name for p in copied.iterdir()) == [
        "README.md",
        "__init__.py",
        "config.py",
        "infer.py",
        "train.py",
    ]
    for path in copied.iterdir():
        assert path.read_text(encoding="utf-8") == (repository / "experiments/exp001" / path.name).read_text(
            encoding="utf-8"
        ).replace("exp001", "exp015")
    for stage in ("train", "infer"):
        ended = make(repository, stage, "exp=exp015", "run=exp015-a", "args=--seed 5")
        assert ended.returncode == 0, ended
    record = json.loads((repository / "outputs/talk/exp015-a/run.json").read_text(encoding="utf-8"))
    assert record["infer"]["overrides"] == {"seed": 5}
    assert not [p for p in (repository / "experiments").iterdir() if p.name.startswith(".")]


def test_a_new_experiment_where_nothing_can_be_written(repository: Path) -> None:
    before = files(repository)
    with immutable(repository / "experiments"):
        failed(
            common(repository, "new", "exp015", "--from", "exp001"), "experiments/exp015: cannot be written"
        )
    assert files(repository) == before
