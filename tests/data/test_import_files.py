"""`make data` copies checked files or changes nothing, from a folder or a zip."""

import zipfile
from pathlib import Path

import pytest

from common.data import sources
from common.data.competition import Competition
from common.data.competition_file import load_competition
from common.data.import_files import import_data
from common.data.replace_files import staging_folder
from common.data.rows import read_references, read_split, sample_ids
from tests.support import odd_files
from tests.support.competition_files import DEV, SOLUTION, real, refusal, snapshot

# make data


def zipped(source: Path, inside: str = "", extra: dict[str, str] | None = None) -> Path:
    path = source.parent / "download.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted((source / "data").iterdir()):
            archive.write(file, f"{inside}{file.name}")
        for name, text in (extra or {}).items():
            archive.writestr(name, text)
    return path


def empty(tiny: Competition) -> None:
    """As after a fresh clone: the toml and nothing else."""
    for path in (tiny.folder / "data").iterdir():
        path.unlink()
    (tiny.folder / "data").rmdir()


def test_a_folder_is_imported_and_reported(tiny: Competition, source: Path) -> None:
    empty(tiny)
    report = import_data(tiny, source)
    assert snapshot(tiny.folder / "data") == snapshot(source / "data")
    assert report == [
        "data/train.csv: 2 rows, 1 × row count: 2 rows, 4 in the organisers' file",
        "data/dev.csv: 3 rows, no warnings",
        "data/test.csv: 3 rows, no warnings",
        "data/sample_submission.csv: 3 rows, no warnings",
        "data/solution.csv: 3 rows, no warnings",
    ]
    assert [row.id for row in read_split(tiny, "dev").rows] == ["dev_0", "dev_1", "dev_3"]


@pytest.mark.parametrize("inside", ["", "data/", "대회/data/", "x\\data\\"])
def test_a_zip_is_imported_whatever_folder_it_has(tiny: Competition, source: Path, inside: str) -> None:
    empty(tiny)
    path = zipped(
        source, inside, {"__MACOSX/data/dev.csv": "junk", "data/._dev.csv": "junk", "readme.txt": "hi"}
    )
    assert len(import_data(tiny, path)) == 5
    assert snapshot(tiny.folder / "data") == snapshot(source / "data")


def test_the_data_folder_itself_can_be_the_source(tiny: Competition) -> None:
    before = snapshot(tiny.folder)
    import_data(tiny, tiny.folder / "data")
    assert snapshot(tiny.folder) == before


def test_importing_replaces_and_keeps_files_of_ones_own(tiny: Competition, source: Path) -> None:
    (tiny.folder / "data" / "notes.txt").write_text("mine")
    tiny.path("dev").write_text("old")
    import_data(tiny, source)
    assert tiny.path("dev").read_bytes() == DEV.encode()
    assert snapshot(tiny.folder / "data")["notes.txt"] == b"mine"


def unchanged(tiny: Competition, source: Path, *parts: str) -> None:
    """The import is refused, and nothing at all is left of it."""
    before = snapshot(tiny.folder)
    refusal(lambda: import_data(tiny, source), *parts)
    assert snapshot(tiny.folder) == before


def test_a_missing_file_lists_what_was_found(tiny: Competition, source: Path) -> None:
    (source / "data" / "test.csv").rename(source / "data" / "Test (1).csv")
    empty(tiny)
    unchanged(tiny, source, str(source), "test.csv not found", "Test (1).csv", "train.csv", "from=PATH")
    assert not (tiny.folder / "data").exists()


def test_a_file_that_is_there_twice_is_refused(tiny: Competition, source: Path) -> None:
    (source / "old").mkdir()
    (source / "old" / "dev.csv").write_text(DEV)
    unchanged(tiny, source, "dev.csv is there 2 times", "data/dev.csv", "old/dev.csv")


def test_an_absent_or_odd_source(tiny: Competition, source: Path) -> None:
    unchanged(tiny, source / "nowhere", "nowhere: not there", "from=PATH")
    unchanged(tiny, source / "data" / "dev.csv", "neither a folder nor a .zip", "from=FOLDER")
    (source.parent / "empty").mkdir()
    unchanged(tiny, source.parent / "empty", "found no files")


@pytest.mark.parametrize("name", ["../../dev.csv", "/etc/dev.csv", "a/../../x", "..\\dev.csv", "C:\\dev.csv"])
def test_a_zip_that_climbs_out_is_refused(tiny: Competition, source: Path, name: str) -> None:
    unchanged(tiny, zipped(source, extra={name: "x"}), "points outside the archive", "nothing was unpacked")


def test_a_broken_zip(tiny: Competition, source: Path) -> None:
    path = zipped(source)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    unchanged(tiny, path, "download.zip", "cannot be read", "again")
    path.write_bytes(whole[:60] + b"\xff" * 8 + whole[68:])
    unchanged(tiny, path, "download.zip/dev.csv", "cannot be read", "nothing was changed")


def test_a_zip_bomb_is_refused(tiny: Competition, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_BYTES", 100)
    unchanged(tiny, zipped(source), "unpacks to", "wanted at most 100")


def test_a_cp949_file_is_refused_before_anything_is_copied(tiny: Competition, source: Path) -> None:
    (source / "data" / "solution.csv").write_bytes(SOLUTION.encode("cp949"))
    unchanged(tiny, source, f"{source}/data/solution.csv:2:", "CP949", "iconv")
    unchanged(tiny, zipped(source, "data/"), "download.zip/data/solution.csv:2:", "CP949")


def test_a_folder_that_cannot_be_written(tiny: Competition, source: Path) -> None:
    empty(tiny)
    (tiny.folder / "data").write_text("a file where the folder should be")
    unchanged(tiny, source, "competitions/tiny/data", "cannot be written", "make data again")


def test_two_imports_at_once(tiny: Competition, source: Path) -> None:
    with staging_folder(tiny):
        refusal(lambda: import_data(tiny, source), "another make data is running")


def test_a_test_file_of_another_release_is_imported_with_a_warning(tiny: Competition, source: Path) -> None:
    path = tiny.folder / "competition.toml"
    text = (
        path.read_text(encoding="utf-8")
        .replace("rows = 3\nexact_rows = true\n", "")
        .replace("last = 9", "last = 99")
    )
    path.write_text(text, encoding="utf-8")
    test = [f"test_{n}" for n in range(20)]
    train = [f"train_{n}" for n in range(20)]
    made = {
        "train": [
            "fname,dialogue,summary,topic",
            *(f'{n},"#Person1#: 비 {n}.\n#Person2#: 응.",요약.,비' for n in train),
        ],
        "test": ["fname,dialogue", *(f'{n},"#사람1#: 눈 {n}.\n#사람2#: 응."' for n in test)],
        "sample_submission": [",fname,summary", *(f"{i},{n},없음" for i, n in enumerate(test))],
        "solution": ["fname,summary1,summary2", *(f"{n},하나,둘" for n in test)],
    }
    for name, lines in made.items():
        (source / "data" / f"{name}.csv").write_text("\n".join([*lines, ""]), encoding="utf-8")
    *files, warning = import_data(load_competition("tiny"), source)
    assert (
        files[2]
        == 'data/test.csv: 20 rows, 20 × tag in another form, repaired for models: "#사람1#" in test_0'
    )
    assert len(files) == 5
    assert warning == (
        "warning: train and test may be of different releases of the data: dialogues with Korean tags: 0% of train, 100% "
        "of test; dialogues with speakers such as #Person1#: 100% of train, 0% of test; "
        "characters in dialogues: median 36 in train, 26 in test. If so, take all files from one release."
    )
    assert len(read_split(load_competition("tiny"), "test").rows) == 20


def test_the_real_files_pass(workspace: Path) -> None:
    source, real_one = real("dialogue_summarization"), load_competition("dialogue_summarization")
    *files, train_test, dev_test = import_data(real_one, source)
    assert len(files) == 4
    # Test was written by another program than train and dev.
    for line in (train_test, dev_test):
        assert (
            "test may be of different releases of the data: dialogues with a space before a line break: 24%"
            in line
        )
        assert "37% of test" in line and ";" not in line
    train, dev, test = (read_split(real_one, split) for split in ("train", "dev", "test"))  # type: ignore[arg-type]
    assert [len(split.rows) for split in (train, dev, test)] == [2500, 499, 499]
    assert train.warnings["row count"] == 1
    assert dev.warnings == {}
    assert test.warnings == {"turns without a line break between": 2}
    assert sample_ids(real_one) == [row.id for row in test.rows]
    assert all(len(summaries) == 1 for summaries in read_references(real_one, "dev").values())


def test_the_english_files_pass(workspace: Path) -> None:
    source, english = real("dialogsum_en"), load_competition("dialogsum_en")
    assert len(import_data(english, source)) == 3
    assert len(read_split(english, "train").rows) == 12460
    assert read_split(english, "test").rows[0].summaries == ()
    assert {len(references) for references in read_references(english, "test").values()} == {3}
    assert len(sample_ids(english)) == 500


def changed_flags(path: Path, *, encrypted: bool) -> Path:
    """Mark every entry of an archive as encrypted, or as packed by Deflate64, which Python cannot unpack."""
    content = bytearray(path.read_bytes())
    for signature, flags, method in ((b"PK\x03\x04", 6, 8), (b"PK\x01\x02", 8, 10)):
        at = content.find(signature)
        while at >= 0:
            content[at + (flags if encrypted else method)] = 1 if encrypted else 9
            at = content.find(signature, at + 4)
    path.write_bytes(content)
    return path


def test_a_zip_that_python_cannot_unpack(tiny: Competition, source: Path) -> None:
    advice = "7z x download.zip -odownload"
    path = changed_flags(zipped(source), encrypted=True)
    unchanged(tiny, path, "download.zip/train.csv: is protected by a password", advice)
    path = changed_flags(zipped(source), encrypted=False)
    unchanged(tiny, path, "is packed by a method that Python lacks", advice, "from=download")


def test_an_archive_among_the_files_is_pointed_to(tiny: Competition, source: Path) -> None:
    folder = source.parent / "my downloads"
    folder.mkdir()
    inner = zipped(source).rename(folder / "data set.zip")
    unchanged(tiny, folder, "train.csv, dev.csv", "not found; found data set.zip", f"from='{inner}'")
    outer = source.parent / "outer.zip"
    with zipfile.ZipFile(outer, "w") as archive:
        archive.write(inner, "x/inner.zip")
    unchanged(tiny, outer, 'They may be in "inner.zip": unpack it first')
    inner.rename(folder / "data.tar.gz")
    unchanged(tiny, folder, 'They may be in "data.tar.gz": unpack it first')


@pytest.mark.parametrize(
    ("name", "content", "parts"),
    [
        ("data.tar.gz", b"\x1f\x8b\x08", ("is a gzip archive", "tar -xf data.tar.gz", "name its folder with from=FOLDER")),
        ("data.7z", b"7z\xbc\xaf\x27\x1c", ("is a 7z archive", "7z x data.7z")),
        ("data.rar", b"Rar!\x1a\x07\x00", ("is a RAR archive", "unrar x data.rar")),
        ("data.zip", b"<html>sign in</html>", ("is a web page (HTML), perhaps a login page",)),
        ("data.zip", b"PK\x03\x04", ("the archive cannot be read", "download it again")),
        ("data.zip", b"", ("is not a zip archive, or only a part of one",)),
        ("data.xlsx", b"PK\x03\x04" + b"x" * 26 + b"[Content_Types].xml", ("is an Excel workbook",)),
        ("dev.csv", b"fname,dialogue\n", ("name the folder that holds it", "from=FOLDER")),
    ],
)  # fmt: skip
def test_a_source_of_another_kind(
    tiny: Competition, tmp_path: Path, name: str, content: bytes, parts: tuple[str, ...]
) -> None:
    (tmp_path / name).write_bytes(content)
    unchanged(tiny, tmp_path / name, f"{name}: ", *parts)


@pytest.mark.parametrize("kind", [kind for kind in odd_files.KINDS if kind != "folder"])
def test_a_source_or_a_file_in_it_that_is_no_file(tiny: Competition, source: Path, kind: str) -> None:
    wanted = odd_files.KINDS[kind].removeprefix("it ").split(",")[0]
    unchanged(tiny, odd_files.make(kind, source.parent / "odd"), "odd: ", wanted)
    odd_files.make(kind, source / "data" / "train.csv")
    unchanged(tiny, source, "data/train.csv: cannot be read", odd_files.KINDS[kind], "nothing was changed")


def test_a_full_disk_and_a_broken_source_are_told_apart(
    tiny: Competition, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("common.data.import_files.os.fsync", full)
    unchanged(tiny, source, "cannot be copied (No space left on device)", "Free some space")
