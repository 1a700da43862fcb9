"""Dev against the leaderboard: rank correlation, the usual difference and when dev has stopped predicting."""

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import kendalltau

from common.data.competition import Competition
from common.data.competition_file import load_competition
from common.submission import ledger
from common.submission.dev_and_site import (
    ENOUGH,
    DevAgainstSite,
    Drop,
    dev_against_site,
    interval,
    kendall_tau_b,
    line,
)
from tests.support.commands import started


@pytest.fixture
def talk(repository: Path) -> Competition:
    return load_competition("talk")


def entry(number: int, dev: Any, public: Any = None, **more: Any) -> dict[str, Any]:
    name = f"{number:010d}"
    scores = {"rouge101": 1.0, "leaderboard": dev, "korouge": 0.1}
    return {
        "id": name, "time": f"2026-11-27T16:{number:02d}:00+00:00", "recipe": "talk", "competition": "talk", "method": "vote",
        "csv_sha256": name.ljust(64, "0"), "members": [], "stale": {}, "git": {"commit": None, "dirty": False},
        "data": {"dev": "rows"}, "dev": {"blend": scores, "floor": scores},
        **({} if public is None else {"lb": {"public": public}}), **more,
    }  # fmt: skip


def found(talk: Competition, pairs: list[tuple[Any, Any]]) -> DevAgainstSite:
    return dev_against_site(talk, [entry(n, dev, public) for n, (dev, public) in enumerate(pairs)])


def test_tau_is_that_of_scipy_also_with_ties() -> None:
    rng = np.random.default_rng(3)
    for n in (3, 5, 12, 40):
        for _ in range(20):
            a, b = rng.integers(0, 6, n).astype(float), rng.integers(0, 6, n).astype(float)
            tau, wanted = kendall_tau_b(a, b), kendalltau(a, b).statistic
            assert (tau is None) == math.isnan(wanted)
            if tau is not None:
                assert tau == pytest.approx(wanted)
    assert kendall_tau_b(np.ones(4), np.arange(4.0)) is None


def test_the_interval_covers_and_is_honest_for_few() -> None:
    assert interval(1.0, 4) == (None, None)
    low, high = interval(1.0, 5)
    assert low is not None and high is not None
    assert 0 < low < 0.5 < high < 1  # a bootstrap would say 1.00 … 1.00
    rng = np.random.default_rng(0)
    inside = []
    for n in (6, 12, 25):
        for rho in (0.0, 0.6, 0.9):
            x = rng.normal(size=(200, n))
            y = rho * x + math.sqrt(1 - rho**2) * rng.normal(size=(200, n))
            ends = [interval(tau or 0.0, n) for tau in map(kendall_tau_b, x, y)]
            inside += [
                lo <= 2 / math.pi * math.asin(rho) <= hi
                for lo, hi in ends
                if lo is not None and hi is not None
            ]
    assert np.mean(inside) > 0.94


def test_the_usual_difference_and_its_spread(talk: Competition) -> None:
    pairs = [(40.0, 38.0), (41.0, 38.5), (42.0, 41.0), (43.0, 40.0), (44.0, 42.5)]
    one = found(talk, pairs)
    assert one.tau == pytest.approx(0.8)
    assert one.drop == Drop(pytest.approx(-2.0), pytest.approx(-2.5), pytest.approx(-1.5))
    assert one.warning == ""
    assert line(one).startswith(
        "dev against public, leaderboard, 5 submissions: rank correlation +0.80 (95 % interval "
    )
    assert line(one).endswith("; usual difference -2.00 (middle half -2.50 … -1.50)")


@pytest.mark.parametrize(
    ("pairs", "told"),
    [
        ([], ""),
        ([(40.0, None), (41.0, None)], ""),
        ([(40.0, 39.0), (41.0, 39.0)], "2 of at least 3 submissions with both scores"),
        (
            [(40.0, 39.0), (41.0, math.nan), (42.0, 40.0)],
            "2 of at least 3 submissions with both scores (1 left out",
        ),
        ([(40.0, 39.0), (math.nan, 39.0), (42.0, 40.0), (None, 3.0)], "(2 left out"),
        ([(40.0, 39.0), (40.0, 39.5), (40.0, 38.0)], "all scores of one side are the same"),
        (
            [(40.0, 39.0), (41.0, 39.5), (42.0, 41.0)],
            "rank correlation +1.00; an interval needs 5 submissions",
        ),
        ([(40.0, 0.39), (41.0, 0.4), (42.0, 0.41)], "different scales"),
        ([(40.0, True), (41.0, "39"), (42.0, 40.0)], "1 of at least 3"),
    ],
)
def test_few_equal_and_odd_scores(talk: Competition, pairs: list[tuple[Any, Any]], told: str) -> None:
    one = found(talk, pairs)
    assert told in line(one)
    assert bool(line(one)) == bool(told)
    assert one.warning == ""


def test_other_dev_rows_and_the_same_csv_do_not_count(talk: Competition) -> None:
    entries = [entry(n, 40.0 + n, 38.0 + n) for n in range(4)]
    old = entry(30, 90.0, 10.0, data={"dev": "other"}) | {"time": "2026-01-01T00:00:00+00:00"}
    twin = entry(31, 40.0, 38.0) | {"csv_sha256": entries[0]["csv_sha256"]}
    foreign = entry(32, 40.0, 1.0) | {"dev": {}}
    elsewhere = entry(33, 40.0, 1.0) | {"competition": "other"}
    one = dev_against_site(talk, [old, *reversed(entries), twin, foreign, elsewhere])
    assert one.ids == tuple(e["id"] for e in entries)
    assert (one.tau, one.left_out) == (1.0, 2)


def test_dev_that_no_longer_predicts_is_said(talk: Competition) -> None:
    rng = np.random.default_rng(1)
    unrelated = [
        (float(d), float(p))
        for d, p in zip(rng.normal(40, 1, ENOUGH), rng.normal(38, 1, ENOUGH), strict=True)
    ]
    assert "the interval of the correlation includes 0 with 12 submissions" in found(talk, unrelated).warning
    assert found(talk, unrelated[:-1]).warning == ""  # too few to say so
    rising = [(40.0 + n, 38.0 + n) for n in range(ENOUGH)]
    assert found(talk, rising).warning == ""
    against = [(40.0 + n, 60.0 - n) for n in range(ENOUGH)]
    assert "against public" in found(talk, against).warning
    # Dev rises, the site does not follow: the order still agrees, the newest differences do not.
    tuned = [*rising[:6], (47.0, 43.5), (48.0, 43.6), (49.0, 43.7)]
    assert (
        "the 3 newest submissions fall further below their dev score than all 6 earlier ones"
        in found(talk, tuned).warning
    )
    assert found(talk, [*tuned[:-1], (49.0, 47.0)]).warning == ""
    assert found(talk, tuned[3:]).warning == ""  # 6 are too few


def test_the_leaderboard_shows_it_and_warns(talk: Competition, repository: Path) -> None:
    pairs = [*((40.0 + n, 38.0 + n) for n in range(6)), (47.0, 43.5), (48.0, 43.6), (49.0, 43.7)]
    for n, (dev, public) in enumerate(pairs):
        made = entry(n, dev)
        ledger.append(made)
        ledger.append({"id": made["id"], "lb": {"public": public}, "time": made["time"]})
    shown = started(repository, sys.executable, "-m", "common", "leaderboard")
    assert (
        "dev against public, leaderboard, 9 submissions: rank correlation +1.00 (95 % interval +0.9"
        in shown.stdout
    )
    assert shown.stderr.count("warning: the 3 newest submissions fall further below") == 1
    listed = json.loads(started(repository, sys.executable, "-m", "common", "leaderboard", "--json").stdout)
    assert len(listed) == 9
    [one] = listed[-1]["dev_against_site"]
    assert (one["kendall_tau_b"], one["difference"]["median"]) == (1.0, -2.0)
    assert one["warning"].startswith("the 3 newest")
    assert not any("dev_against_site" in other for other in listed[:-1])
