"""`make upload` against a loopback server that plays Kaggle's API, with Kaggle's own client."""

import json
import os
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path

import pytest

from common.core.errors import UserError
from common.core.json_lines import read_lines
from common.data.competition_file import load_competition
from common.submission import ledger, uploads
from tests.support import REPOSITORY
from tests.support.commands import failed, files, make
from tests.support.kaggle_server import KEY, SLUG, TOKEN, USER, Site
from tests.support.uploading import CLIENT, LEDGER, LOGIN, declare, needs_client, upload


@needs_client
def test_a_csv_is_uploaded_once_and_its_scores_come_into_the_ledger(
    repository: Path, made: str, site: Site
) -> None:
    site.pending = 1
    first = upload(repository, site, **LOGIN)  # the newest, without an id
    assert first.returncode == 0, first
    assert first.stdout.startswith(
        f"{made} (talk) is uploaded; the site is still scoring submission 7001. Read its score later with: make upload id={made}"
    )
    assert "1 of 2 uploads left today" in first.stdout
    assert site.files == {"blob0": (repository / "submissions/talk.csv").read_bytes()}
    assert site.submissions[0]["description"] == f"{made} talk"

    second = upload(repository, site, f"--id={made[:6]}", **LOGIN)
    assert second.stdout.startswith(
        f"{made} (talk) was uploaded before as submission 7001: public 41.83. Next: make leaderboard"
    )
    site.private = "40.5"
    third = upload(repository, site, f"--id={made}", **LOGIN)
    assert "public 41.83; private 40.50" in third.stdout
    lines = len(read_lines(repository / LEDGER))
    assert upload(repository, site, **LOGIN).returncode == 0
    assert len(read_lines(repository / LEDGER)) == lines  # nothing new, nothing written
    assert site.names.count("CreateSubmission") == 1
    entry = ledger.find(made)
    assert entry["lb"] == {"public": 41.83, "private": 40.5}
    assert entry["site"] == {"ref": "7001", "status": "complete"}
    assert len(entry["uploaded"]) == 1
    assert KEY not in (repository / LEDGER).read_text(encoding="utf-8")


@needs_client
def test_an_upload_that_was_killed_before_it_was_recorded_is_found(
    repository: Path, made: str, site: Site
) -> None:
    before = (repository / LEDGER).read_bytes()
    assert upload(repository, site, **LOGIN).returncode == 0
    (repository / LEDGER).write_bytes(before)
    again = upload(repository, site, **LOGIN)
    assert "was uploaded before as submission 7001: public 41.83" in again.stdout
    assert site.names.count("CreateSubmission") == 1
    assert ledger.find(made)["site"]["ref"] == "7001"


@needs_client
@pytest.mark.parametrize("where", ["token", "env_file", "json_file", "token_file"])
def test_the_key_is_found_where_kaggle_and_we_keep_keys(
    repository: Path, made: str, site: Site, where: str
) -> None:
    variables = {}
    folder = repository.parent / ".kaggle"
    folder.mkdir()
    if where == "token":
        variables = {"KAGGLE_API_TOKEN": f"{TOKEN}\n"}
    elif where == "env_file":
        (repository / ".env").write_text(f"KAGGLE_USERNAME={USER}\nKAGGLE_KEY={KEY}\n", encoding="utf-8")
    elif where == "json_file":
        (folder / "kaggle.json").write_text(json.dumps({"username": USER, "key": KEY}), encoding="utf-8")
    else:
        (folder / "access_token").write_text(TOKEN, encoding="utf-8")
    ended = upload(repository, site, **variables)
    assert ended.returncode == 0, ended
    assert ledger.find(made)["lb"] == {"public": 41.83}


def answer(status: int, message: str = "", **headers: str) -> tuple[int, dict[str, str], bytes]:
    body = json.dumps({"code": status, "message": message}).encode() if message else b"<html>"
    return status, headers if message else {"Content-Type": "text/html", **headers}, body


@pytest.mark.slow
@needs_client
@pytest.mark.parametrize(
    ("changes", "variables", "parts"),
    [
        ({}, {}, ["there is no API key", ".env"]),
        ({}, {"KAGGLE_USERNAME": USER}, ["KAGGLE_KEY is missing"]),
        ({}, LOGIN | {"KAGGLE_KEY": "wrongwrongwrong"}, ["refuses the API key (401)"]),
        ({}, {"KAGGLE_API_TOKEN": "KGAT_wrongwrong"}, ["does not know the API key"]),
        (
            {"ListSubmissions": answer(403, f"You must accept the rules {KEY}")},
            LOGIN,
            ["(403)", "must accept the rules [key]", f"/competitions/{SLUG}/rules"],
        ),
        ({"ListSubmissions": answer(404, "gone")}, LOGIN, [f'does not know the competition "{SLUG}" (404)']),
        (
            {"StartSubmissionUpload": answer(400, "Daily limit\nreached.")},
            LOGIN,
            ["(400)", '"Daily limit reached"'],
        ),
        (
            {"CreateSubmission": answer(429, "", **{"Retry-After": "90"})},
            LOGIN,
            ["(429)", "again in 1 min 30 s"],
        ),
        ({"CreateSubmission": answer(503)}, LOGIN, ["error of its own (503)"]),
        ({"PUT": answer(403)}, LOGIN, ["did not accept the file"]),
        ({"ListSubmissions": (200, {}, b"<html>")}, LOGIN, ["another form"]),
        (
            {"ListSubmissions": (200, {}, b'{"submissions": [{"ref": 1, "status": "WHAT"}]}')},
            LOGIN,
            ["another form"],
        ),
        ({}, LOGIN | {"KAGGLE_API_ENDPOINT": "http://127.0.0.1:9"}, ["cannot be reached"]),
        ({}, LOGIN | {"KAGGLE_API_ENDPOINT": "http://example.org"}, ["KAGGLE_API_ENDPOINT", "https://"]),
    ],
)
def test_refusals_are_one_line_without_a_key_and_record_nothing(
    repository: Path,
    made: str,
    site: Site,
    changes: dict[str, tuple[int, dict[str, str], bytes]],
    variables: dict[str, str],
    parts: list[str],
) -> None:
    site.answers |= changes
    before = files(repository)
    ended = upload(repository, site, **variables)
    failed(ended, *parts)
    assert len(ended.stderr.strip().splitlines()) == 1, ended.stderr
    sent = b64encode(f"{USER}:wrongwrongwrong".encode()).decode()
    for secret in (KEY, TOKEN, "wrongwrong", sent):
        assert secret not in ended.stderr
    after = files(repository)
    begun = after.pop(f".cache/uploading/talk-{made}", None)
    assert after == before
    assert (begun is not None) == ("(503)" in ended.stderr)  # only then may it be there all the same


@needs_client
def test_what_happens_after_the_upload_never_uploads_again(repository: Path, made: str, site: Site) -> None:
    site.answers["GetSubmission"] = answer(500, "down")
    failed(
        upload(repository, site, **LOGIN),
        f"{made} is uploaded (number 7001), but its status could not be read",
    )
    site.answers["GetSubmission"] = (200, {}, b'{"id": 7001, "state": "DONE"}')
    failed(upload(repository, site, **LOGIN), "another form")
    site.answers["GetSubmission"] = answer(404, "not yet")
    assert "still scoring submission 7001" in upload(repository, site, **LOGIN).stdout
    site.answers.clear()
    site.public = "n/a"
    failed(upload(repository, site, **LOGIN), "another form")
    site.status, site.error = "ERROR", "The column\n summary is missing"
    failed(
        upload(repository, site, **LOGIN), "could not score submission 7001: The column summary is missing"
    )
    assert ledger.find(made)["site"]["status"] == "error"
    assert site.names.count("CreateSubmission") == 1


@needs_client
def test_the_days_limit_and_marks_by_hand_are_respected(repository: Path, made: str, site: Site) -> None:
    ledger.append({"id": made, "uploaded": datetime.now(UTC).date().isoformat(), "time": "x"})
    failed(upload(repository, site, **LOGIN), "is marked as uploaded on", f"make lb id={made} public=SCORE")
    first = read_lines(repository / LEDGER)[0]
    others = [first | {"id": f"{n}" * 10, "csv_sha256": f"{n}" * 64} for n in (1, 2)]
    (repository / LEDGER).write_text(
        "".join(json.dumps(e) + "\n" for e in (first, *others)), encoding="utf-8"
    )
    for other in others:
        uploads.mark_uploaded(other["id"], "today", datetime.now(UTC))
    failed(
        upload(repository, site, f"--id={made}", **LOGIN),
        f"{made} is not uploaded: talk has 0 of 2 uploads left today",
    )
    assert "CreateSubmission" not in site.names


def test_a_csv_that_changed_or_is_gone_is_refused(repository: Path, made: str, site: Site) -> None:
    path = repository / "submissions/talk.csv"
    content = path.read_bytes()
    path.write_bytes(content + b"\n")
    failed(
        upload(repository, site, **LOGIN),
        "talk.csv: has changed since it was validated",
        "make submit blend=talk",
    )
    path.unlink()
    failed(upload(repository, site, **LOGIN), "talk.csv: is not there")
    assert site.names == []
    if CLIENT is not None:
        (repository / "submissions/kept.csv").write_bytes(content)  # under another name it is the same
        assert upload(repository, site, **LOGIN).returncode == 0


def test_without_an_api_the_upload_is_by_hand(repository: Path, made: str) -> None:
    for text in ("", '[site]\nsubmissions_per_day = 3\ntime_zone = "UTC"\n'):
        declare(repository, text)
        failed(make(repository, "upload"), "no [site] kind", f"make lb id={made}", code=2)
    failed(make(repository, "upload", "id=zz"), "id='zz'", code=2)
    failed(make(repository, "upload", "id="), "id", code=2)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ('kind = "dacon"\ncompetition = "a"', ["kind", "kaggle"]),
        ("kind = 1", ["kind", "int"]),
        ('kind = "kaggle"', ["competition", "missing"]),
        ('competition = "a-b"', ["kind", "missing"]),
        (
            'kind = "kaggle"\ncompetition = "https://www.kaggle.com/c/a"',
            ["competition", "the name in the address"],
        ),
        ('kind = "kaggle"\ncompetition = "../a"', ["competition"]),
        ('kind = "kaggle"\ncompetition = ""', ["competition"]),
    ],
)
def test_the_site_is_read_strictly(repository: Path, text: str, parts: list[str]) -> None:
    declare(repository, f"[site]\n{text}\n")
    with pytest.raises(UserError) as caught:
        load_competition("talk")
    for part in parts:
        assert part in str(caught.value)


def test_the_missing_client_is_named_with_its_command(repository: Path, made: str, site: Site) -> None:
    (repository.parent / "kagglesdk.py").write_text("raise ImportError\n", encoding="utf-8")
    paths = os.pathsep.join([str(repository.parent), str(REPOSITORY)])
    failed(
        upload(repository, site, **LOGIN | {"PYTHONPATH": paths}),
        "not installed",
        "pip install -c constraints.txt -e '.[kaggle]'",
    )
