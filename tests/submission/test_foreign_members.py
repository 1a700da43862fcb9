"""Members of other code through the commands: scored, compared, reported and submitted like the runs that they are copies of."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from common.data.competition import Competition
from common.data.rows import SplitName
from common.ensemble.pool import pool
from common.submission.candidates import member_candidates
from tests.support import foreign
from tests.support.commands import Ended, failed, started
from tests.support.foreign import EIGHT, RUNS, THEIRS, of_files, of_runs, recipe

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
        common("score", "--predictions", "team-0"),
        "neither the name of a recipe's member nor of a run",
        f"Did you mean {THEIRS[0]}?",
    )
    recipe(root, "other", [of_files(suffix="csv")[EIGHT]], "vote", "")
    failed(
        common("score", "--predictions", THEIRS[EIGHT]),
        f"recipes name different files for the dev predictions of this member: theirs/{THEIRS[EIGHT]}-dev.jsonl "
        f"(submissions/files.toml), theirs/{THEIRS[EIGHT]}-dev.csv (submissions/other.toml)",
    )


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_scored_candidates_of_other_code_are_the_candidates_of_the_runs(
    root: Path, talk: Competition, suffix: str
) -> None:
    """A file with mean log-probabilities gives the pool of the run, to the last digit; every method works on this pool."""
    foreign.export_scored(root, talk)
    places = range(len(RUNS)) if suffix == "jsonl" else [EIGHT]  # a column needs a score in every row
    ours = recipe(root, "ours", [of_runs()[place] for place in places], "auto")
    files = recipe(root, "files", [of_files(suffix=suffix)[place] for place in places], "auto")
    splits: tuple[SplitName, ...] = ("dev", "test")
    for split in splits:
        wanted, found = (pool(member_candidates(asked, talk, split)) for asked in (ours, files))
        assert found.ids == wanted.ids and found.texts == wanted.texts
        assert np.array_equal(found.logprob, wanted.logprob, equal_nan=True)
        assert np.array_equal(found.place, wanted.place)
        assert np.isfinite(found.logprob[:, found.of(THEIRS[EIGHT])]).all()
        assert max(map(len, found.texts)) >= 8
