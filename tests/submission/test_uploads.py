"""Uploads of the site's day, final picks and notes: lines of their own, counted and refused as the site does."""

import json
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from common.core.errors import UserError
from common.core.json_lines import read_lines
from common.data.competition import Competition
from common.data.competition_file import load_competition
from common.submission import leaderboard, ledger, uploads
from common.submission.ledger import record_scores
from tests.support.commands import Ended, failed, files, make, started
from tests.support.submitting import solo, submit

LEDGER = "submissions/ledger.jsonl"
NOON = datetime(2026, 11, 29, 3, 0, tzinfo=UTC)  # in Seoul
SITE = '[site]\nsubmissions_per_day = 3\ntime_zone = "Asia/Seoul"\nfinal_picks = 2\n'


@pytest.fixture
def talk(repository: Path) -> Competition:
    path = repository / "competitions/talk/competition.toml"
    path.write_text(path.read_text(encoding="utf-8") + SITE, encoding="utf-8")
    return load_competition("talk")


def entry(name: str, dev: float = 40.0, **more: Any) -> dict[str, Any]:
    return {
        "id": name, "time": "2026-11-27T16:00:00+00:00", "recipe": f"recipe_{name}", "competition": "talk", "method": "vote",
        "csv_sha256": name.ljust(64, "0"), "members": [], "stale": {}, "git": {"commit": None, "dirty": False},
        "data": {"dev": "d"}, "dev": {"blend": {"leaderboard": dev}}, "interval": {"low": dev - 2, "high": dev + 2}, **more,
    }  # fmt: skip


def common(repository: Path, *words: str) -> Ended:
    return started(repository, sys.executable, "-m", "common", *words)


def test_an_entry_is_no_upload_and_a_score_proves_one(talk: Competition) -> None:
    for name in ("aaa", "bbb", "ccc"):
        ledger.append(entry(name))
    assert uploads.today(talk, NOON).uploads == 0
    record_scores("aaa", 40.0, None, "2026-11-28T15:30:00+00:00")  # already the 29th in Seoul
    record_scores("bbb", None, 39.0, "2026-11-29T01:00:00+00:00")  # private scores come when all is over
    record_scores("ccc", 38.0, None, "no time")
    assert uploads.today(talk, NOON).uploads == 1
    # What the user says replaces what the score lets us guess, and the same CSV counts once a day.
    for _ in range(2):
        uploads.mark_uploaded("aaa", "2026-11-28", NOON)
    uploads.mark_uploaded("bbb", "today", NOON)
    assert uploads.upload_days(talk)["aaa"] == {datetime(2026, 11, 28).date()}
    assert uploads.today(talk, NOON).uploads == 1
    assert [line["uploaded"] for line in ledger.lines() if "uploaded" in line] == ["2026-11-28", "2026-11-29"]


def test_the_day_ends_at_the_sites_midnight(talk: Competition) -> None:
    for name in ("aaa", "bbb", "ccc"):
        ledger.append(entry(name))
        uploads.mark_uploaded(name, "today", NOON)
        day = uploads.today(talk, NOON)
    assert day.used_up
    assert (
        str(day)
        == "0 of 3 uploads left today (Asia/Seoul, 3 recorded); the site's next day begins in 12 h 0 min"
    )
    later = uploads.today(talk, NOON + timedelta(hours=12))
    assert (str(later), later.used_up) == ("3 of 3 uploads left today (Asia/Seoul, 0 recorded)", False)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-11-30", "2026-11-27", "2026-13-01", "1", "\x1b[31m"])
def test_a_day_that_cannot_be_is_refused(talk: Competition, text: str) -> None:
    ledger.append(entry("aaa"))  # made on the 28th in Seoul
    before = files(talk.folder.parents[1])
    with pytest.raises(UserError, match=r'uploaded=.*wanted "today" or a day as YYYY-MM-DD'):
        uploads.mark_uploaded("aaa", text, NOON)
    assert files(talk.folder.parents[1]) == before


def test_picks_are_lines_of_their_own_and_limited(talk: Competition, repository: Path) -> None:
    for name in ("aaa", "bbb", "ccc"):
        ledger.append(entry(name))
    before = (repository / LEDGER).read_bytes()
    assert uploads.set_pick("a", NOON)
    assert uploads.set_pick("bbb", NOON)
    assert not uploads.set_pick("bbb", NOON)  # nothing is added
    assert (repository / LEDGER).read_bytes().startswith(before)
    assert len(read_lines(repository / LEDGER)) == 5
    with pytest.raises(
        UserError, match=r"talk allows 2 final picks, .* aaa, bbb; take one back with: make pick"
    ):
        uploads.set_pick("ccc", NOON)
    with pytest.raises(UserError, match="id=ccc is not a final pick of talk; picked: aaa, bbb"):
        uploads.set_pick("ccc", NOON, on=False)
    assert uploads.set_pick("aaa", NOON, on=False)
    assert uploads.set_pick("ccc", NOON)
    assert uploads.picks(ledger.entries()) == ["bbb", "ccc"]


def test_the_recommendation_is_by_dev_and_says_what_dev_cannot_tell(talk: Competition) -> None:
    ledger.append(entry("old", 99.0, data={"dev": "other rows"}))
    ledger.append(entry("aaa", 40.0))
    ledger.append(entry("bbb", 41.5, interval={}))  # of an older version
    ledger.append(entry("ccc", 30.0))
    ledger.append(entry("ddd", 42.0))
    uploads.mark_uploaded("ddd", "today", NOON)
    lines = uploads.recommended(talk, uploads.candidates(talk, ledger.entries()))
    assert lines == [
        "By dev:",
        "  ddd (recipe_ddd): 42.00, 95 % interval 40.00 … 44.00: make pick id=ddd",
        "  bbb (recipe_bbb): 41.50: make pick id=bbb; no upload is recorded: make lb id=bbb uploaded=DAY",
        "The interval of ddd holds the scores of 2 others (bbb, aaa), so dev hardly tells them apart: prefer picks that were "
        "made differently.",
    ]


def test_a_note_goes_into_the_entry_and_a_new_one_replaces_it(talk: Competition, repository: Path) -> None:
    first = common(repository, "submit", "--force", "--note", " 두 시드 ")
    assert first.returncode == 0, first
    assert (
        "3 of 3 uploads left today (Asia/Seoul, 0 recorded).\nNext: upload the CSV, then: make lb id="
        in first.stdout
    )
    [line] = read_lines(repository / LEDGER)
    assert line["note"] == "두 시드"
    assert line["id"] == line["csv_sha256"][:10]  # a note does not change the id
    assert line["interval"]["low"] <= line["dev"]["blend"]["leaderboard"] <= line["interval"]["high"]
    again = common(repository, "submit", "--force", "--note", "other")
    assert "identical to" in again.stdout
    assert "only its note was replaced" in again.stdout
    assert [(e["id"], e["note"]) for e in ledger.entries()] == [(line["id"], "other")]
    assert read_lines(repository / LEDGER)[0] == line
    board = common(repository, "leaderboard")
    assert "other" in board.stdout
    assert "final picks: 0 of 2" in board.stdout
    before = files(repository)
    for note in ("", "two\nlines", "\x1b[31m", "x" * 201):
        failed(common(repository, "submit", "--force", "--note", note), "note=", "wanted one line")
    assert files(repository) == before


def test_lb_and_pick_from_make(talk: Competition, repository: Path) -> None:
    made = submit(repository, text=solo()).entry["id"]
    scored = make(repository, "lb", f"id={made[:5]}", "public=41.5", "uploaded=today", "comp=talk")
    assert scored.returncode == 0, scored
    assert scored.stdout.startswith(f"{made} (talk): public 41.50; uploaded ")
    assert "2 of 3 uploads left today" in scored.stdout
    again = make(repository, "lb", f"id={made}", "public=42", "private=40", "comp=talk")
    assert again.stdout.startswith(f"{made} (talk): public 42.00 (was 41.50); private 40.00; uploaded ")
    same = make(repository, "lb", f"id={made}", "public=42", "comp=talk")
    assert same.stdout.startswith(f"{made} (talk): public 42.00; private 40.00; uploaded ")
    assert same.stderr == ""
    picked = make(repository, "pick", f"id={made}")
    assert f"{made} (talk) is a final pick; final picks: 1 of 2: {made}" in picked.stdout
    assert "already" in make(repository, "pick", f"id={made}").stdout
    assert f"{made} (talk): " in make(repository, "pick").stdout
    assert "no final pick any longer" in make(repository, "pick", f"id={made}", "off=1").stdout
    [entry] = json.loads(common(repository, "leaderboard", "--json").stdout)
    assert entry["pick"] is False
    before = files(repository)
    failed(make(repository, "pick", "off=1"), "id= is missing", code=2)
    failed(
        make(repository, "lb", f"id={made}", "public=3", "uploaded=tomorrow"), "uploaded='tomorrow'", code=2
    )
    assert files(repository) == before


def second_competition(repository: Path) -> None:
    """Add a competition "other" with the same data, and a recipe for it."""
    source = repository / "competitions/talk"
    for path in source.rglob("*"):
        if path.is_file():
            target = repository / "competitions/other" / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    text = (repository / "submissions/talk.toml").read_text(encoding="utf-8")
    (repository / "submissions/other.toml").write_text(
        text.replace('competition = "talk"', 'competition = "other"'), encoding="utf-8"
    )


def test_comp_counts_in_every_command_about_submissions(repository: Path) -> None:
    second_competition(repository)
    ledger.append(entry("aaa"))
    ledger.append(entry("aab", competition="other"))
    before = files(repository)
    for target in ("submit", "blend-report"):
        failed(
            make(repository, target, "comp=other", "blend=talk"),
            f"submissions/talk.toml is for talk, not for other; run: make {target} comp=talk blend=talk",
            code=2,
        )
        failed(make(repository, target, "blend=other"), f"run: make {target} comp=other blend=other", code=2)
        failed(make(repository, target, "comp=other"), "other", code=2)  # whose members have no runs
    for target, more in (("lb", ["public=3"]), ("reproduce", []), ("pick", [])):
        failed(
            make(repository, target, "id=aaa", "comp=other", *more),
            "id='aaa' matches 0 submissions to other; wanted one of aab.",
            code=2,
        )
        failed(
            make(repository, target, "id=aa", *more), "matches 2 submissions; wanted one of aaa, aab", code=2
        )
        failed(make(repository, target, "id=aa", "comp=nowhere", *more), "no competition 'nowhere'", code=2)
    assert files(repository) == before
    assert make(repository, "lb", "id=aa", "comp=other", "public=3").returncode == 0
    assert [e.get("lb") for e in ledger.entries()] == [None, {"public": 3.0}]
    empty = make(repository, "results", "comp=other")
    assert "make exp=exp002 infer comp=other" in empty.stdout


def test_a_score_fills_every_row_of_the_same_csv(repository: Path) -> None:
    """A ledger of an older version may have the same CSV under several ids."""
    same = {"csv_sha256": "f" * 64}
    for one in (
        entry("fff", **same),
        entry("ffff", **same),
        entry("x", **same, competition="other"),
        entry("y"),
    ):
        ledger.append(one)
    record_scores("ffff", 70, None, "later")
    assert [e.get("lb") for e in ledger.entries()] == [{"public": 70}, {"public": 70}, None, None]


def test_old_ledgers_stay_readable_and_a_damaged_line_is_named(repository: Path) -> None:
    old = entry("aaa")
    del old["interval"]
    ledger.append(old)
    assert ledger.entries() == [old]
    for line, part in (
        ({"id": "aaa", "time": "t", "pick": 1}, '"pick" is missing or of another type than bool'),
        ({"id": "aaa", "time": "t", "uploaded": None}, '"uploaded" is missing or of another type than str'),
        ({**old, "note": 5}, '"note" is of another type than str'),
    ):
        content = (repository / LEDGER).read_bytes()
        with (repository / LEDGER).open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(line) + "\n")
        with pytest.raises(UserError) as caught:
            ledger.entries()
        assert f"submissions/ledger.jsonl:2: {part}" in str(caught.value)
        (repository / LEDGER).write_bytes(content)


@pytest.mark.parametrize(
    ("profile", "test", "score", "doubted"),
    [
        ("leaderboard", 27.0, 0.28, True),
        ("leaderboard", 27.0, 0.0, True),
        ("leaderboard", 27.0, 37.1, False),
        ("leaderboard", 27.0, 5.0, False),
        ("korouge", 0.27, 27.9, True),
        ("korouge", 0.27, 0.31, False),
        ("leaderboard", None, 0.3, True),  # dev has 25
        ("leaderboard", 0.0, 30.0, False),  # then dev counts
    ],
)
def test_a_score_of_another_scale_is_doubted(
    talk: Competition, profile: str, test: float | None, score: float, doubted: bool
) -> None:
    competition = replace(talk, leaderboard_profile=profile)
    scores = {"dev": {"blend": {"leaderboard": 25.0}}}
    if test is not None:
        scores["test"] = {"blend": {profile: test}}
    assert bool(leaderboard.doubt(competition, scores, score)) == doubted
