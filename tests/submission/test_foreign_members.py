"""Members of other code through the commands: scored, compared, reported and submitted like the runs that they are copies of."""

import json
import sys
from pathlib import Path

import pytest

from common.data.competition import Competition
from tests.support import foreign
from tests.support.commands import Ended, failed, started
from tests.support.foreign import EIGHT, RUNS, THEIRS, of_files, of_runs, recipe, renamed

LEDGER = "submissions/ledger.jsonl"


@pytest.fixture
def talk(world: tuple[Path, Competition]) -> Competition:
    return world[1]


def test_score_and_compare_take_a_member_of_a_recipe_and_its_file(root: Path) -> None:
    def common(*words: str) -> Ended:
        return started(root, sys.executable, "-m", "common", *words, COLUMNS="400")

    recipe(root, "files", [of_files()[EIGHT], of_files(without_dev=[THEIRS[0]])[0], of_runs()[1]], "mbr")
    ours = json.loads(common("score", "--predictions", RUNS[EIGHT], "--json").stdout)
    for named in (THEIRS[EIGHT], f"theirs/{THEIRS[EIGHT]}-dev.jsonl", f"theirs/{THEIRS[EIGHT]}-dev.csv"):
        found = common("score", "--predictions", named, "--json")
        assert (found.returncode, json.loads(found.stdout)) == (0, ours)
    compared = common("compare", "--a", RUNS[1], "--b", THEIRS[EIGHT], "--split", "test", "--json")
    wanted = common("compare", "--a", RUNS[1], "--b", RUNS[EIGHT], "--split", "test", "--json")
    assert [{**one, "settings": 0} for one in json.loads(compared.stdout)] == [
        {**one, "settings": 0} for one in json.loads(wanted.stdout)
    ]
    shown = common("compare", "--a", RUNS[1], "--b", THEIRS[EIGHT])
    assert f"b = theirs/{THEIRS[EIGHT]}-dev.jsonl" in shown.stdout
    failed(
        common("score", "--predictions", THEIRS[0]),
        f"{THEIRS[0]}: submissions/files.toml gives this member no dev predictions",
        "split=",
    )
    assert common("score", "--predictions", THEIRS[0], "--split", "test").returncode == 0
    failed(
        common("score", "--predictions", "team-0"), "nor of a recipe's member", f"Did you mean {THEIRS[0]}?"
    )
    recipe(root, "other", [of_files(suffix="csv")[EIGHT]], "vote", "")
    failed(
        common("score", "--predictions", THEIRS[EIGHT]),
        f"recipes name different files for the dev predictions of this member: theirs/{THEIRS[EIGHT]}-dev.jsonl "
        f"(submissions/files.toml), theirs/{THEIRS[EIGHT]}-dev.csv (submissions/other.toml)",
    )


@pytest.mark.slow
def test_scored_candidates_give_the_report_and_the_choices_of_the_runs(root: Path, talk: Competition) -> None:
    """Files of other code: several texts a dialogue with a mean log-probability, one member with a single text."""
    foreign.export_scored(root, talk)
    printed, made = [], []
    places = (0, EIGHT, 5)
    theirs_listed = [of_files()[0], of_files(suffix="csv")[EIGHT], of_files()[5]]
    for name, listed in (("ours", [of_runs()[place] for place in places]), ("files", theirs_listed)):
        (root / LEDGER).unlink(missing_ok=True)
        recipe(root, name, listed, "auto", "candidates = 8")
        for command in (["blend-report"], ["submit", "--force", "--stale=ok", "--json"]):
            ended = started(root, sys.executable, "-m", "common", *command, "--blend", name, COLUMNS="300")
            assert ended.returncode == 0, ended
            if command[0] == "blend-report":
                text = ended.stdout.partition("Measured in")[0]
                for run, own in zip(RUNS, THEIRS, strict=True):
                    text = text.replace(run, own)
                printed.append([line.split() for line in text.splitlines() if "──" not in line])
            else:
                made.append(json.loads(ended.stdout))
        assert (root / f"submissions/{name}.csv").is_file()
    assert printed[0] == printed[1]
    assert (root / "submissions/ours.csv").read_bytes() == (root / "submissions/files.csv").read_bytes()
    ours, theirs = made
    assert theirs["choice"] == ours["choice"]
    assert [theirs[key] for key in ("dev", "test")] == [renamed(ours[key]) for key in ("dev", "test")]
    assert theirs["interval"] == ours["interval"]
