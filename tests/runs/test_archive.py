"""A run moves into the archive and back whole; whatever stands in the way is named and nothing moves."""

import errno
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from common.core.errors import UserError
from common.data.competition_file import load_competition
from common.runs.archive import archive, note, restore
from common.runs.catalogue import catalogue, dependants
from common.runs.record import stale_reasons
from common.runs.results import read_results
from tests.support import repository as repositories
from tests.support.commands import files, make
from tests.support.submitting import refused


def states() -> dict[str, str]:
    return {entry.run: entry.status for entry in catalogue(load_competition("talk"))}


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def refuses(repository: Path, work: Callable[[], object], *parts: str) -> None:
    before = files(repository)
    with pytest.raises(UserError) as caught:
        work()
    for part in parts:
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)
    assert files(repository) == before


@pytest.fixture(params=["rename", "copy"])
def move(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """On one disk a folder is renamed; between disks, which this rename imitates, it is copied."""
    rename = Path.rename

    def between_disks(path: Path, target: Path) -> Path:
        if {path.parent.name, target.parent.name} == {"archived", "talk"}:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return rename(path, target)

    if request.param == "copy":
        monkeypatch.setattr(Path, "rename", between_disks)
    return str(request.param)


def test_a_run_comes_back_as_it_was(repository: Path, move: str) -> None:
    folder, archived = repository / "outputs/talk/exp001", repository / "outputs/talk/archived/exp001"
    (folder / "link").symlink_to("run.json")
    before = content(folder)
    assert archive("talk", "exp001") == archived
    assert not folder.exists() and content(archived) == before and (archived / "link").is_symlink()
    assert states() == {"exp001": "archived", "exp002": "trained"}
    assert "exp001" in [result.run for result in read_results("talk")]
    note("talk", "exp001", "kept for the paper")  # a note is no damage
    assert restore("talk", "exp001") == folder
    assert content(folder) == {**before, "note.txt": b"kept for the paper\n"}
    assert (stale_reasons(folder), states()["exp001"]) == ([], "trained")
    assert list(archived.parent.iterdir()) == []
    assert [p.name for p in folder.parent.glob(".[so]*")] == []


def test_what_stands_in_the_way_moves_nothing(repository: Path) -> None:
    outputs = repository / "outputs/talk"
    refuses(repository, lambda: archive("talk", "exp009"), "exp009: not there", '"exp001", "exp002"')
    refuses(repository, lambda: archive("talk", "../talk"), "wanted an experiment or a variant")
    refuses(repository, lambda: restore("talk", "exp001"), "exp001 is not archived", "none")
    refuses(repository, lambda: note("talk", "exp009", "x"), "exp009: not there")
    refuses(repository, lambda: note("talk", "exp001", "a\nb"), "a line break", "wanted one line")
    refuses(repository, lambda: note("talk", "exp001", "x" * 501), "found 501 characters")
    with FileLock(outputs / ".exp001.lock"):
        refuses(repository, lambda: archive("talk", "exp001"), "exp001 is running; wait for it to end")
    shutil.copytree(outputs / "exp001", outputs / "archived/exp001")
    refuses(repository, lambda: archive("talk", "exp001"), "archived/exp001 already exists")
    refuses(repository, lambda: restore("talk", "exp001"), "outputs/talk/exp001 already exists")


def test_a_copy_that_differs_is_not_kept(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def rename(path: Path, target: Path) -> Path:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    def lossy(source: Path, target: Path, **_: object) -> None:
        target.mkdir()
        (target / "run.json").write_bytes((source / "run.json").read_bytes()[:-1])

    monkeypatch.setattr(Path, "rename", rename)
    monkeypatch.setattr(shutil, "copytree", lossy)
    refuses(repository, lambda: archive("talk", "exp001"), "the copy differs", "the run stays where it was")


def test_a_file_that_changed_in_the_archive_is_found(repository: Path) -> None:
    archived = archive("talk", "exp001")
    (archived / "best/m.json").write_text("[7, 7]")
    refuses(
        repository,
        lambda: restore("talk", "exp001"),
        "1 of its files changed",
        '"best/m.json"',
        "nothing was moved",
    )
    (archived.parent / ".exp001.json").write_text("{}")
    refuses(repository, lambda: restore("talk", "exp001"), "not a list of hashes")


def test_every_command_that_needs_an_archived_run_says_how_to_restore_it(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive("talk", "exp001")
    advice = "outputs/talk/exp001 is archived; first run: make restore run=exp001 comp=talk"
    for missing in ("stop", "train"):
        refused(repository, advice, missing=missing)
    before = files(repository)
    for stage in ("train", "infer"):
        with pytest.raises(SystemExit, match=advice):
            repositories.stage(repository, "exp001", stage)
    assert files(repository) == before
    assert not (repository / "outputs/talk/exp001").exists()
    assert f"error: {advice}" in make(repository, "postprocess", "run=exp001").stderr


def test_runs_made_from_the_archived_one_are_named(repository: Path) -> None:
    path = repository / "outputs/talk/exp002/run.json"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"runs": {}', '"runs": {"outputs/talk/exp001": "0"}'), encoding="utf-8")
    assert list(dependants("talk", "exp001")) == ["exp002"]
    assert list(dependants("talk", "exp002")) == []
    archive("talk", "exp001")
    reasons = stale_reasons(repository / "outputs/talk/exp002")
    assert reasons == ["run outputs/talk/exp001 is gone (it is archived: make restore run=exp001 comp=talk)"]


def test_through_make(repository: Path) -> None:
    assert make(repository, "note", "run=exp001", "text=it's $(shell x) 100% 좋다").returncode == 0
    assert "it's $(shell x) 100% 좋다" in make(repository, "runs").stdout
    narrow = make(repository, "runs", COLUMNS="50").stdout
    assert "it's" in narrow and "not shown at 50 columns: minutes, size, date" in " ".join(narrow.split())
    assert "text= is missing" in make(repository, "note", "run=exp001").stderr
    for empty in ("", " "):
        assert make(repository, "note", "run=exp001", "text=x").returncode == 0
        assert "no note" in make(repository, "note", "run=exp001", f"text={empty}").stdout
        assert not (repository / "outputs/talk/exp001/note.txt").exists()
    assert make(repository, "note", "run=exp001", "text=kept").returncode == 0
    done = make(repository, "archive", "run=exp001")
    assert (
        "archived: outputs/talk/archived/exp001" in done.stdout and "make restore run=exp001" in done.stdout
    )
    assert "restored: outputs/talk/exp001" in make(repository, "restore", "run=exp001").stdout
