"""A run goes to another machine in one file: whole, verified, without anything private, and blended there as here."""

import json
import os
import shutil
import stat
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from common import cli
from common.core.errors import UserError
from common.core.files import read_json, sha256_file, write_json
from common.data.competition_file import load_competition
from common.runs import import_archive
from common.runs.archive import archive
from common.runs.catalogue import catalogue
from common.runs.export import export_run
from common.runs.import_run import import_run
from common.runs.record import stale_reasons
from common.runs.results import read_results
from tests.support import repository as repositories
from tests.support.commands import failed, files, make
from tests.support.submitting import recipe, refused, solo, submit

THEIRS = solo().replace("exp001", "exp001-theirs")


@pytest.fixture
def exported(repository: Path, tmp_path: Path) -> Path:
    """The file of exp001, without weights."""
    return export_run("talk", "exp001", tmp_path / "exp001.zip", weights=False).path


def bring(source: Path, name: str | None = None) -> Path:
    return import_run(load_competition("talk"), source, name).folder


def states() -> dict[str, str]:
    return {entry.run: entry.status for entry in catalogue(load_competition("talk"))}


def refuses(repository: Path, source: Path, *parts: str, name: str | None = "exp001-theirs") -> None:
    before = files(repository)
    with pytest.raises(UserError) as caught:
        bring(source, name)
    for part in parts:
        assert part in str(caught.value), caught.value
    assert "\n" not in str(caught.value)
    assert files(repository) == before
    assert not list((repository / "outputs/talk").glob(".*.tmp"))


def members(source: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(source) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def rewritten(source: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """Return a copy of an export with other members; only its list of files is not made to fit."""
    content = members(source)
    change(content)
    target = source.with_name("changed.zip")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as made:
        for name, each in content.items():
            made.writestr(name, each)
    return target


def header(**values: object) -> Callable[[dict[str, bytes]], None]:
    def change(content: dict[str, bytes]) -> None:
        content["export.json"] = json.dumps({**json.loads(content["export.json"]), **values}).encode()

    return change


def test_the_same_csv_on_another_machine(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = repositories.copy(trained, tmp_path / "here")
    monkeypatch.setenv("KDS_ROOT", str(here))
    made = submit(here)
    sent = [
        export_run("talk", run, tmp_path / f"{run}.zip", weights=False).path for run in ("exp001", "exp002")
    ]
    there = tmp_path / "there"
    repositories.build(there)  # its own code and data, and no run
    monkeypatch.setenv("KDS_ROOT", str(there))
    shutil.rmtree(there / "experiments" / "exp002")  # and without the code of one of them
    for source in sent:
        bring(source)
    assert states() == {"exp001": "imported", "exp002": "imported"}
    assert [stale_reasons(there / "outputs/talk" / run) for run in ("exp001", "exp002")] == [[], []]
    again = submit(there, missing="train")  # trains nothing
    assert again.path.read_bytes() == made.path.read_bytes()
    assert again.entry["csv_sha256"] == made.entry["csv_sha256"] and again.entry["dev"] == made.entry["dev"]
    assert again.entry["stale"] == {}
    assert [result.run for result in read_results("talk")] == ["exp001", "exp002"]
    assert (there / "results/talk/exp002.json").read_bytes() == (
        here / "results/talk/exp002.json"
    ).read_bytes()
    words = ["score", "--predictions", "exp002", "--json"]
    scored = CliRunner().invoke(cli.commands, words).output
    monkeypatch.setenv("KDS_ROOT", str(here))
    assert scored == CliRunner().invoke(cli.commands, words).output


def test_under_another_name_beside_ones_own(repository: Path, exported: Path) -> None:
    folder = bring(exported, "exp001-theirs")
    assert states() == {"exp001": "trained", "exp001-theirs": "imported", "exp002": "trained"}
    made = submit(repository, text=THEIRS)
    own = submit(repository, text=solo())
    assert made.entry["csv_sha256"] == own.entry["csv_sha256"]
    compared = CliRunner().invoke(cli.commands, ["compare", "--a", "exp001", "--b", "exp001-theirs"])
    assert compared.exit_code == 0 and "a and b have the same settings" in compared.output
    assert "exp001-theirs" in [result.run for result in read_results("talk")]
    assert (folder / "imported.json").is_file() and not (folder / "best").exists()
    again = export_run("talk", "exp001-theirs", exported.with_name("again.zip"), weights=False).path
    assert import_run(load_competition("talk"), again, None).there


def test_the_same_run_again_changes_nothing_and_another_one_is_refused(
    repository: Path, exported: Path
) -> None:
    before = files(repository)
    assert import_run(load_competition("talk"), exported, None).there
    bring(exported, "exp001-theirs")
    assert import_run(load_competition("talk"), exported, "exp001-theirs").there
    shutil.rmtree(repository / "outputs/talk/exp001-theirs")
    (repository / "results/talk/exp001-theirs.json").unlink()
    assert files(repository) == before
    refuses(
        repository,
        exported,
        "outputs/talk/exp002: another run has this name",
        "as=exp002-theirs",
        name="exp002",
    )
    refuses(repository, exported, "wanted an experiment or a variant", name="../exp001")
    archive("talk", "exp001")
    refuses(repository, exported, "archived/exp001: an archived run has this name", name=None)
    (repository / "results/talk/exp001-x.json").write_text("{}")
    refuses(repository, exported, "results/talk/exp001-x.json: is the result of another run", name="exp001-x")


def test_an_imported_run_is_never_trained_and_decoded_only_with_weights(
    repository: Path, exported: Path
) -> None:
    bring(exported, "exp001-theirs")
    before = files(repository)
    arguments = ("--run", "exp001-theirs")
    for stage, more, part in (
        ("train", (), "was imported from another machine and is never trained here"),
        ("train", ("--restart",), "never trained here"),
        ("infer", (), "was imported without its weights"),
    ):
        with pytest.raises(SystemExit, match=part):
            repositories.stage(repository, "exp001", stage, *arguments, *more)
    ended = make(repository, "train", "exp=exp001", "run=exp001-theirs", "restart=1")
    failed(ended, "never trained here", "make exp=exp001 train run=exp001-NAME", code=2)
    assert files(repository) == before
    whole = export_run("talk", "exp001", exported, weights=True).path
    folder = bring(whole, "exp001-whole")
    repositories.stage(repository, "exp001", "infer", "--run", "exp001-whole")
    assert stale_reasons(folder) == [] and states()["exp001-whole"] == "imported"
    for split in ("dev", "test"):
        own = repository / f"outputs/talk/exp001/{split}/predictions.csv"
        assert (folder / split / "predictions.csv").read_bytes() == own.read_bytes()
    (folder / "best/m.json").write_text("[1, 3]")
    assert "best/m.json has changed" in stale_reasons(folder)[0]


def test_a_stale_import_is_not_trained_either(repository: Path, exported: Path) -> None:
    folder = bring(exported, "exp001-theirs")
    (folder / "test/predictions.csv").write_bytes((folder / "test/predictions.csv").read_bytes() + b"\n")
    recipe(repository, THEIRS)
    for missing in ("stop", "train"):
        said = refused(
            repository,
            "exp001-theirs/test/predictions.csv has changed",
            "never trained here",
            missing=missing,
        )
        assert "missing=train" not in said and "accept them with: stale=ok" in said
    assert states()["exp001-theirs"] == "stale"


def test_other_data_are_refused_with_both_hashes(repository: Path, exported: Path) -> None:
    path = repository / "competitions/talk/data/dev.csv"
    recorded = read_json(repository / "outputs/talk/exp001/run.json")["infer"]["data"]
    there = recorded["competitions/talk/data/dev.csv"]["sha256"]
    path.write_bytes(path.read_bytes().replace("일상".encode(), "식사".encode()))
    refuses(
        repository,
        exported,
        "another competitions/talk/data/dev.csv",
        f"sha256 {there[:12]} there,",
        " here;",
    )
    path.unlink()
    refuses(repository, exported, "competitions/talk/data/dev.csv, which is not here", "make data comp=talk")


def test_a_damaged_or_forged_file_is_refused_whole(repository: Path, exported: Path) -> None:
    content, before = exported.read_bytes(), files(repository)
    cut = exported.with_name("cut.zip")
    for size in (0, 1, 100, len(content) // 2, len(content) - 1):
        cut.write_bytes(content[:size])
        refuses(repository, cut, "get the file again")
    for place in range(40, len(content), len(content) // 25):
        cut.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        try:
            folder = bring(cut, "exp001-theirs")
        except UserError:
            assert files(repository) == before
            continue
        # A date or another byte that says nothing about the content.
        assert members(cut)["dev/predictions.csv"] == (folder / "dev/predictions.csv").read_bytes()
        shutil.rmtree(folder)
        (repository / "results/talk/exp001-theirs.json").unlink()
        assert files(repository) == before
    refuses(repository, exported.with_name("none.zip"), "not there; wanted a file of make export")
    refuses(repository, exported.parent, "is a folder; wanted a file of make export")
    cases: list[tuple[Callable[[dict[str, bytes]], object], str]] = [
        (header(version=2), "format version 2, wanted 1"),
        (header(format="other"), "another format than kds-run"),
        (header(competition="daily_talk"), "is a run of 'daily_talk', not of talk; with that competition here, add: comp=daily_talk"),
        (header(run="../x"), "not what make export writes"),
        (header(files={}), "not what make export writes"),
        (header(weights=True), "says weights=True, and its files do not"),
        (lambda c: c.pop("export.json"), "it has no export.json"),
        (lambda c: c.pop("dev/scores.json"), "its list of files and its content differ"),
        (lambda c: c.update({"run.json": c["run.json"].replace(b'"seed": 1', b'"seed": 2')}), "run.json is not what was exported"),
        (lambda c: c.update({"dev/more.csv": b"x"}), "its list of files and its content differ"),
        (lambda c: c.update({"../x": b"x"}), "points outside the archive"),
        (lambda c: c.update({"/etc/x": b"x"}), "points outside the archive"),
        (lambda c: c.update({"dev/../../x": b"x"}), "points outside the archive"),
        (lambda c: c.update({"C:\\x": b"x"}), "points outside the archive"),
        (lambda c: c.update({"train.py": b"x"}), "is no part of a run"),
        (lambda c: c.update({"best/m.json": b"x"}), "is packed in another way"),
    ]  # fmt: skip
    for change, part in cases:
        refuses(repository, rewritten(exported, lambda c, change=change: change(c) and None), part)  # type: ignore[misc]


def special(exported: Path, kind: int) -> Path:
    target = exported.with_name("special.zip")
    shutil.copyfile(exported, target)
    with zipfile.ZipFile(target, "a", zipfile.ZIP_DEFLATED) as made:
        info = zipfile.ZipInfo("dev/link")
        info.create_system, info.external_attr = 3, (kind | 0o777) << 16
        made.writestr(info, "../../../../etc/passwd")
    return target


def test_links_devices_and_bombs_are_refused(
    repository: Path, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuses(repository, special(exported, stat.S_IFLNK), '"dev/link" is a link')
    for kind in (stat.S_IFCHR, stat.S_IFIFO, stat.S_IFDIR):
        refuses(repository, special(exported, kind), "is a device, a pipe or a folder")
    monkeypatch.setattr(import_archive, "MOST_BYTES", 1 << 20)
    bomb = rewritten(exported, lambda c: c.update({"dev/zeros": bytes(2 << 20)}))
    assert bomb.stat().st_size < 1 << 16
    refuses(repository, bomb, "unpacks to 2.1 MB; wanted at most 1.0 MB", "Nothing was unpacked")
    monkeypatch.setattr(import_archive, "MOST_MEMBERS", 5)
    refuses(repository, exported, "files, wanted at most 5")


def test_a_failure_in_the_middle_leaves_nothing(
    repository: Path, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "rename", refuse)
    refuses(repository, exported, "cannot be written (No space left on device); nothing was imported")


@pytest.fixture
def private(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The record of exp001, made by a user whose names and folders are in it."""
    monkeypatch.setenv("USER", "kimplanted")
    monkeypatch.setenv("HOSTNAME", "gpubox-planted")
    monkeypatch.setenv("HOME", "/home/kimplanted")
    monkeypatch.setenv("PLANTED_API_KEY", "planted/key+value")
    path = repository / "outputs/talk/exp001/run.json"
    record = read_json(path)
    for stage in record.values():
        stage["command"] = [
            f"{repository}/experiments/exp001/train.py",
            "--model",
            "/home/kimplanted/models/kobart",
        ]
        stage["overrides"] = {
            "model": "/home/kimplanted/models/kobart",
            "base": f"{repository}/outputs/talk/exp002/best",
        }
        stage["notes"]["base"] = (
            "loaded from /data/kimplanted/models/a.bin on gpubox-planted by Kimplanted, in ~/x/y"
        )
        stage["sources"] = {
            "/scratch/team/kimplanted/kobart": ["file:///home/kimplanted/card.md", "C:\\Users\\kimplanted\\b"]
        }
    write_json(path, record)
    yield path


def test_no_folder_name_or_key_of_the_machine_is_in_the_file(
    repository: Path, private: Path, tmp_path: Path
) -> None:
    target = export_run("talk", "exp001", tmp_path / "x.zip", weights=True).path
    content = members(target)
    everything = (target.read_bytes() + b"".join(content.values())).lower()
    planted = ("kimplanted", "gpubox-planted", "/home", "/data/kim", "/scratch", "planted/key", 'train.py",')
    for part in (*planted, str(repository).lower()):
        assert part.encode() not in everything, part
    made = json.loads(content["run.json"])["train"]
    assert made["overrides"] == {"model": "…/kobart", "base": "outputs/talk/exp002/best"}
    assert made["notes"]["base"] == "loaded from …/a.bin on … by …, in …/y"
    assert made["sources"] == {"…/kobart": ["file://…/card.md", "…/b"]}
    assert "command" not in made
    assert made["code"] == read_json(private)["train"]["code"]
    first = target.read_bytes()
    export_run("talk", "exp001", target, weights=True)
    assert target.read_bytes() == first  # the same run gives the same bytes


@pytest.mark.parametrize("place", ["run.json", "best/m.json", "test/candidates.jsonl"])
def test_a_secret_is_refused_and_not_repeated(
    repository: Path, private: Path, tmp_path: Path, place: str
) -> None:
    path = private.parent / place
    record = read_json(private)
    if place == "run.json":
        record["infer"]["notes"]["url"] = "sk-planted0123456789"
    else:
        path.write_bytes(path.read_bytes() + b'"planted/key+value"\n')
        if place.startswith("test"):
            record["infer"]["files"][f"outputs/talk/exp001/{place}"] = sha256_file(path)
        else:
            manifest = path.parent / "manifest.json"
            write_json(manifest, {"m.json": sha256_file(path)})
            for stage in record.values():
                stage["checkpoint"] = sha256_file(manifest)
    write_json(private, record)
    with pytest.raises(UserError) as caught:
        export_run("talk", "exp001", tmp_path / "x.zip", weights=True)
    assert "planted0" not in str(caught.value) and "planted/key" not in str(caught.value)
    wanted = (
        "looks like the beginning of an API key"
        if place == "run.json"
        else "holds the value of PLANTED_API_KEY"
    )
    assert wanted in str(caught.value) and "nothing was exported" in str(caught.value)
    assert not list(tmp_path.glob("*.zip"))


def test_what_cannot_be_exported(repository: Path, tmp_path: Path) -> None:
    def says(part: str, run: str = "exp001", target: Path = tmp_path / "x.zip") -> None:
        with pytest.raises(UserError) as caught:
            export_run("talk", run, target, weights=True)
        assert part in str(caught.value) and "\n" not in str(caught.value)

    (tmp_path / "mine.txt").write_text("mine")
    says("exists and is no exported run", target=tmp_path / "mine.txt")
    os.mkfifo(tmp_path / "pipe.zip")  # opening it would wait for ever
    says("exists and is no exported run", target=tmp_path / "pipe.zip")
    (tmp_path / "pipe.zip").unlink()
    says("exp009: not there", run="exp009")
    (repository / "outputs/talk/exp001/dev/predictions.csv").write_text("changed")
    says("dev/predictions.csv: is gone or has changed")
    record = read_json(repository / "outputs/talk/exp002/run.json")
    record["infer"]["status"] = "running"
    write_json(repository / "outputs/talk/exp002/run.json", record)
    says("infer has not finished", run="exp002")
    assert [path.name for path in tmp_path.glob("*.*")] == ["mine.txt"]


def test_through_make(repository: Path, tmp_path: Path) -> None:
    said = make(repository, "export", "run=exp001", f"to={tmp_path}/a file.zip")
    assert said.returncode == 0 and "7 files of exp001" in said.stdout, said
    said = make(repository, "import", f"from={tmp_path}/a file.zip", "as=exp001-theirs")
    assert said.returncode == 0 and "outputs/talk/exp001-theirs: 7 files imported and verified" in said.stdout
    assert "exp001-theirs  imported" in make(repository, "runs").stdout
    failed(make(repository, "import"), "from= is missing", code=2)
    assert make(repository, "export", "run=exp002").returncode == 0
    assert (repository / "outputs/talk/exported/exp002.zip").is_file()
