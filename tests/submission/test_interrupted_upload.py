"""Uploads that end in the middle: no CSV is ever sent twice, and the next make upload goes on."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from common.core.json_lines import read_lines
from common.data.competition_file import load_competition
from common.submission import ledger
from common.submission.register import register
from tests.support.commands import environment_without_make, failed
from tests.support.kaggle_server import Site
from tests.support.uploading import LEDGER, LOGIN, SITE, declare, needs_client, upload, variables

pytestmark = [pytest.mark.slow, needs_client]


def killed(repository: Path, site: Site, reached: Callable[[], bool]) -> None:
    """Start an upload and kill it as soon as it has come this far."""
    environment = {
        **environment_without_make(),
        **variables(repository, site),
        **LOGIN,
        "KDS_ROOT": str(repository),
    }
    command = [sys.executable, "-m", "common", "upload", "--wait=0"]
    with subprocess.Popen(command, cwd=repository, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:  # fmt: skip
        end = time.monotonic() + 120
        while not reached():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end
            time.sleep(0.01)
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL


def test_a_kill_before_the_answer_uploads_once(repository: Path, made: str, site: Site) -> None:
    site.held.add("CreateSubmission")
    before = (repository / LEDGER).read_bytes()
    killed(repository, site, lambda: bool(site.submissions))
    assert (repository / LEDGER).read_bytes() == before
    site.held.clear()
    site.unlisted = 1  # the site lists it only a moment later
    again = upload(repository, site, **LOGIN)
    assert "was uploaded before as submission 7001: public 41.83" in again.stdout, again
    assert site.names.count("CreateSubmission") == 1
    assert len(ledger.find(made)["uploaded"]) == 1
    assert not (repository / ".cache/uploading").exists()


def test_a_kill_between_the_upload_and_its_line_uploads_once(repository: Path, made: str, site: Site) -> None:
    before = (repository / LEDGER).read_bytes()
    with FileLock((repository / LEDGER).with_suffix(".lock")):  # the line waits for it
        killed(repository, site, lambda: bool(site.submissions) and "CreateSubmission" in site.names)
    assert (repository / LEDGER).read_bytes() == before
    assert "was uploaded before as submission 7001" in upload(repository, site, **LOGIN).stdout
    assert site.names.count("CreateSubmission") == 1
    lines = read_lines(repository / LEDGER)
    assert [sorted(line.keys() - {"id", "time"}) for line in lines[1:]] == [
        ["uploaded"],
        ["site"],
        ["site"],
        ["lb"],
    ]


def test_a_kill_before_the_submission_begins_again(repository: Path, made: str, site: Site) -> None:
    site.held.add("PUT")
    killed(repository, site, lambda: "PUT" in site.names)
    site.held.clear()
    site.release.set()
    again = upload(repository, site, **LOGIN)
    assert f"{made} (talk) is uploaded as submission 7001: public 41.83" in again.stdout, again
    assert site.names.count("CreateSubmission") == 1


@pytest.mark.parametrize("name", ["StartSubmissionUpload", "PUT", "CreateSubmission", "GetSubmission"])
def test_a_network_that_goes_away_is_said_and_the_same_command_goes_on(
    repository: Path, made: str, site: Site, name: str
) -> None:
    site.lost.add(name)
    ended = upload(repository, site, **LOGIN)
    told = {"GetSubmission": "but its status could not be read", "PUT": "kaggle: no answer within 1 min"}
    failed(ended, told.get(name, "kaggle: the site "))
    lines = [line for line in ended.stderr.splitlines() if not line.startswith("upload the CSV …")]
    assert len(lines) == 1, lines
    site.lost.clear()
    again = upload(repository, site, **LOGIN)
    assert again.returncode == 0, again
    assert len(site.submissions) == 1
    assert ledger.find(made)["lb"] == {"public": 41.83}


def test_what_is_on_the_site_by_other_means_is_not_sent(repository: Path, made: str, site: Site) -> None:
    ledger.record_scores(made, 41.0, None, "2026-11-29T10:00:00+00:00")
    failed(upload(repository, site, **LOGIN), f"{made} has a score of the site, so it was uploaded already")
    talk = load_competition("talk")
    path = repository / "theirs.csv"
    path.write_text('"","fname","summary"\n0,test_2,가\n1,test_10,나\n2,test_0,다\n', encoding="utf-8")
    old = register(talk, path, "may", 44.0).entry["id"]
    failed(upload(repository, site, f"--id={old}", **LOGIN), f"{old} has a score of the site")
    path.write_text('"","fname","summary"\n0,test_2,라\n1,test_10,나\n2,test_0,다\n', encoding="utf-8")
    new = register(talk, path, "june").entry["id"]
    assert site.submissions == []
    failed(upload(repository, site, **LOGIN), f"{made} has a score")  # the newest that was made here
    sent = upload(repository, site, f"--id={new}", **LOGIN)  # its registered copy
    assert sent.returncode == 0, sent
    assert site.files["blob0"] == path.read_bytes()
    copy = repository / f"submissions/registered/{new}.csv"
    assert copy.read_bytes() == path.read_bytes()


def test_another_competition_is_named(repository: Path, made: str, site: Site) -> None:
    declare(repository, SITE.replace("talk-of-the-town", "no-such-town"))
    failed(
        upload(repository, site, **LOGIN),
        'does not know the competition "no-such-town" (404)',
        "[site] competition",
    )
    assert site.submissions == []
