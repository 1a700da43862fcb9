"""The same CSV from two machines: one row in the leaderboard, with what both say about it."""

import json
import sys
from pathlib import Path

import pytest

from common.core.files import sha256_file
from common.data.competition_file import load_competition
from common.submission import ledger, uploads
from common.submission.dev_and_site import dev_against_site
from common.submission.register import register
from tests.support.commands import started
from tests.support.submitting import solo, submit


def rows(repository: Path, name: str) -> tuple[list[str], str]:
    ended = started(repository, sys.executable, "-m", "common", "leaderboard", COLUMNS="300")
    assert ended.returncode == 0, ended
    listed = ended.stdout.partition("\nmembers of")[0]
    return [line for line in listed.splitlines() if line.startswith(f"{name}  ")], ended.stdout + ended.stderr


def test_the_leaderboard_shows_one_row_and_says_so(repository: Path) -> None:
    made = submit(repository, text=solo()).entry
    first = json.dumps(made, ensure_ascii=False)
    twin = json.dumps({**made, "recipe": "theirs", "time": "2026-11-30T00:00:00+00:00"}, ensure_ascii=False)
    (repository / ledger.LEDGER).write_text(f"{first}\n{twin}\n", encoding="utf-8")
    ledger.record_scores(made["id"], 41.0, None, "2026-11-30T01:00:00+00:00")
    found, printed = rows(repository, made["id"])
    assert len(found) == 1
    assert " 41.00 " in found[0] and " talk" in found[0]
    assert f"{made['id']} (talk) and {made['id']} (theirs) are the same CSV: one row, with the scores of all." in printed  # fmt: skip
    ended = started(repository, sys.executable, "-m", "common", "leaderboard", "--json")
    [one] = json.loads(ended.stdout)
    assert (one["lb"], one["also"]) == ({"public": 41.0}, [{"id": made["id"], "recipe": "theirs"}])


def test_what_was_made_here_counts_before_what_was_registered(repository: Path) -> None:
    """One machine submitted a CSV, the other registered it with its score; git keeps both lines."""
    talk = load_competition("talk")
    made = submit(repository, text=solo())
    content = (repository / ledger.LEDGER).read_text(encoding="utf-8")
    (repository / ledger.LEDGER).unlink()
    theirs = register(talk, made.path, "from-chat", 44.0)
    assert theirs.entry["id"] == made.entry["id"]
    (repository / ledger.LEDGER).write_text(
        (repository / ledger.LEDGER).read_text(encoding="utf-8") + content, encoding="utf-8"
    )
    found, printed = rows(repository, made.entry["id"])
    assert len(found) == 1 and " 44.00 " in found[0] and "^" not in found[0]
    assert "(from-chat) are the same CSV" in printed
    one = ledger.find(made.entry["id"])
    assert (one["recipe"], one["lb"]) == ("talk", {"public": 44.0})
    assert not ledger.is_registered(one)
    both = dev_against_site(talk, ledger.entries())
    assert (both.ids, both.left_out) == ((made.entry["id"],), 0)
    assert one["csv_sha256"] == sha256_file(made.path)
    [candidate] = uploads.candidates(talk, ledger.entries())
    assert candidate.id == made.entry["id"]


@pytest.mark.parametrize("order", [(44.0, 45.0), (45.0, 44.0)])
def test_two_registered_scores_of_one_csv_are_said(repository: Path, order: tuple[float, float]) -> None:
    talk = load_competition("talk")
    path = submit(repository, text=solo()).path
    lines = []
    for name, public, hour in zip(("may", "june"), order, (11, 12), strict=True):
        (repository / ledger.LEDGER).unlink(missing_ok=True)
        found = register(talk, path, name, public).entry
        lines.append(json.dumps({**found, "time": f"2026-11-22T{hour}:00:00+00:00"}))
    (repository / ledger.LEDGER).write_text("\n".join(lines) + "\n", encoding="utf-8")
    rows_, printed = rows(repository, found["id"])
    assert len(rows_) == 1 and f" {order[1]:.2f} " in rows_[0]  # the newest
    assert (
        f"public was entered as {order[0]:g} and as {order[1]:g}; the newest, {order[1]:g}, counts" in printed
    )
    ledger.record_scores(found["id"], order[0], None, "2026-11-22T13:00:00+00:00")
    rows_, printed = rows(repository, found["id"])
    assert f" {order[0]:.2f} " in rows_[0]
    assert "was entered as" not in printed
