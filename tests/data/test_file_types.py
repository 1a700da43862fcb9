"""A file that is no UTF-8 CSV is called what it is, with the command that helps."""

import gzip
import io
import json
import lzma
import os
import random
import tarfile
import zipfile
from pathlib import Path

import pytest

from common.data.competition import Competition
from common.data.rows import read_predictions
from tests.support import odd_files
from tests.support.competition_files import refusal

HEADER, ROW = "fname,summary\n", "test_0,우산을 깜빡했다고 말한다.\n"
GOOD = (HEADER + ROW).encode()
NOISE = random.Random(7).randbytes(3000)


def zipped(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, GOOD)
    return buffer.getvalue()


def tarred() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo("p.csv")
        info.size = len(GOOD)
        archive.addfile(info, io.BytesIO(GOOD))
    return buffer.getvalue()


def refused(tiny: Competition, path: Path, *parts: str) -> None:
    message = refusal(lambda: read_predictions(path, tiny), path.name, *parts)
    assert message.isprintable()
    assert len(message) < 500


@pytest.mark.parametrize(
    ("name", "content", "parts"),
    [
        ("p.png", b"\x89PNG\r\n\x1a\n" + NOISE, ("is a PNG picture",)),
        ("p.csv", b"\xff\xd8\xff\xe0" + NOISE, ("is a JPEG picture",)),
        ("p.csv", b"%PDF-1.7\n" + NOISE, ("is a PDF document",)),
        ("p.csv", b"PAR1" + NOISE, ("is a Parquet file", "read_parquet('p.csv')")),
        ("p q.csv.gz", gzip.compress(GOOD, mtime=0), ("is a gzip archive", "gunzip -k 'p q.csv.gz'")),
        ("p.csv.xz", lzma.compress(GOOD), ("is an xz archive", "unxz -k p.csv.xz")),
        ("p.csv", zipped("p.csv"), ("is a zip archive", "unzip p.csv -d p")),
        ("p.csv", zipped("[Content_Types].xml", "xl/workbook.xml"), ("is an Excel workbook", "save each sheet")),
        ("p.tar", tarred(), ("is a tar archive", "tar -xf p.tar")),
        ("p.csv", b"7z\xbc\xaf\x27\x1c" + NOISE, ("is a 7z archive", "7z x p.csv")),
        ("p.csv", b"Rar!\x1a\x07\x01\x00" + NOISE, ("is a RAR archive",)),
        ("p.csv", b"\xef\xbb\xbf\n<!DOCTYPE html>\n<html>", ("is a web page (HTML), perhaps a login page", "Sign in")),
        ("p.csv", b'<?xml version="1.0"?><Error/>', ("is an XML file",)),
        ("p.csv", b"version https://git-lfs.github.com/spec/v1\noid", ("is a pointer of Git LFS", "git lfs pull")),
        ("p.csv", NOISE, ("is not a text but binary data",)),
        ("p.csv", GOOD.decode().encode("utf-16"), ("is UTF-16; wanted UTF-8", "iconv -f UTF-16 -t UTF-8 p.csv")),
        ("p.csv", GOOD.decode().encode("utf-16-le"), ("is UTF-16LE; wanted UTF-8", "iconv -f UTF-16LE")),
        ("p.csv", GOOD.decode().encode("utf-16-be"), ("is UTF-16BE", "iconv -f UTF-16BE")),
        ("p.csv", GOOD.decode().encode("utf-32"), ("is UTF-32; wanted UTF-8", "iconv -f UTF-32 ")),
        ("p.csv", GOOD.decode().encode("utf-32-le"), ("is UTF-32LE", "iconv -f UTF-32LE")),
        ("p.csv", GOOD.decode().encode("iso2022_kr"), ("is ISO-2022-KR", "iconv -f ISO-2022-KR")),
        ("p q.csv", GOOD.decode().encode("cp949"), ("p q.csv:2: is in CP949", "CP949 -t UTF-8 'p q.csv' > 'p q.utf8.csv'")),
        ("p.csv", GOOD.decode().encode("euc-kr"), (":2: is in CP949 (EUC-KR",)),
        ("p.csv", GOOD + ROW.encode("cp949"), (":3: this line is in CP949", "but not the whole file")),
        ("p.csv", HEADER.encode() + ROW.encode("cp949") + ROW.encode(), (":2: this line is in CP949",)),
        ("p.csv", HEADER.encode() + "test_0,傘を買った\n".encode("shift-jis"), (":2: byte 0x8e", "in another encoding")),
        ("p.csv", HEADER.encode() + "test_0,买了一把雨伞\n".encode("gbk"), (":2: byte 0xc2", "in another encoding")),
        ("p.csv", HEADER.encode() + "test_0,it’s done\n".encode("cp1252"), (":2: byte 0x92", "in another encoding")),
        ("p.csv", GOOD[:-4], (":2: the file ends in the middle of a character", "copy or download it again")),
        ("p.csv", b"\xef\xbb\xbf \n", ("is empty",)),
    ],
)  # fmt: skip
def test_another_kind_of_file_or_encoding(
    tiny: Competition, tmp_path: Path, name: str, content: bytes, parts: tuple[str, ...]
) -> None:
    (tmp_path / name).write_bytes(content)
    refused(tiny, tmp_path / name, *parts)


@pytest.mark.parametrize(("separator", "word"), [("\t", "tabs"), (";", "semicolons"), ("|", "bars")])
@pytest.mark.parametrize("quote", ["", '"'])
def test_another_separator(tiny: Competition, tmp_path: Path, separator: str, word: str, quote: str) -> None:
    lines = [["fname", "summary"], ["test_0", "우산을, 깜빡했다"]]
    text = "".join(separator.join(f"{quote}{cell}{quote}" for cell in line) + "\n" for line in lines)
    path = tmp_path / "p q.csv"
    path.write_text(text, encoding="utf-8")
    refused(
        tiny, path, f":1: the columns are separated by {word}; wanted commas", "pandas.read_csv('p q.csv'"
    )


def test_the_command_for_another_separator_works(
    tiny: Competition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "p.csv").write_text('"fname"\t"summary"\n"test_0"\t"NA, ""x"""\n"01"\t""\n')
    message = refusal(lambda: read_predictions(tmp_path / "p.csv", tiny))
    monkeypatch.chdir(tmp_path)
    exec(message.partition('python -c "')[2].rpartition('"')[0])
    assert read_predictions(tmp_path / "p.commas.csv", tiny) == {"test_0": 'NA, "x"', "01": ""}


@pytest.mark.parametrize(
    ("name", "content", "parts"),
    [
        ("p.csv", '{"fname": "test_0", "summary": "가"}\n' * 99, (":1: is JSON Lines; wanted a CSV", "p.jsonl")),
        ("p.csv", '[{"fname": "test_0"}]', (":1: is one JSON array", "jq -c '.[]' p.csv > p.jsonl")),
        ("p.jsonl", '[{"fname": "test_0"}]', (":1: is one JSON array", "jq -c '.[]' p.jsonl > p.lines.jsonl")),
        ("p.jsonl", '[\n {"fname": "test_0"}]', (":1: is one JSON array",)),
        ("p.jsonl", HEADER + ROW, (":1: is a CSV; wanted JSON Lines", "p.csv")),
        ("p.csv", HEADER + "test_0," + "가" * 140_000, (":2: starts a record with a cell of over 131,072 characters",)),
        ("p.csv", HEADER + 'test_0,"' + "a,b\n" * 50_000, (":2: starts a record with a cell of over", "close its quote")),
        ("p.csv", HEADER + 'test_0,"a', (":2: starts a record with unbalanced quotes",)),
        ("p.csv", HEADER.replace("\n", "\r") + "a,b\r", (":1: has a carriage return",)),
        ("p.csv", ",".join(f"col{i}" for i in range(100_000)), ('the header has "col0", "col1"', "…; wanted")),
        ("p.csv", "x" * 10_000_000, ("over 131,072 characters",)),
        ("p.jsonl", "x" * 10_000_000, (":1: is not a JSON object",)),
        ("p.jsonl", '{"fname": ' + "[" * 100_000, ("nested over 100 levels",)),
        ("p.jsonl", '{"fname": "a", "summary": ' + "9" * 400 + "}", ("an integer of 400 digits",)),
    ],
)  # fmt: skip
def test_another_format_under_this_name(
    tiny: Competition, tmp_path: Path, name: str, content: str, parts: tuple[str, ...]
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8", newline="")
    refused(tiny, tmp_path / name, *parts)


@pytest.mark.parametrize("kind", odd_files.KINDS)
def test_what_is_no_file(tiny: Competition, tmp_path: Path, kind: str) -> None:
    refused(tiny, odd_files.make(kind, tmp_path / "p.csv"), "p.csv: cannot be read", odd_files.KINDS[kind])


def test_an_unreadable_file(tiny: Competition, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root reads every file")
    (tmp_path / "p.csv").write_bytes(GOOD)
    (tmp_path / "p.csv").chmod(0)
    refused(tiny, tmp_path / "p.csv", "Permission denied")


def test_good_files_stay_good(tiny: Competition, tmp_path: Path) -> None:
    """None of the marks above is found in an ordinary file."""
    odd = '"#Person1#: <html> [{}] PK\\x03"'
    for name, text in (
        ("a.csv", HEADER + ROW + "test_1," + odd + "\n"),
        (
            "b.csv",
            '"summary";"x"\n'.replace(";", ",").replace('"x"', '"fname"') + '"{a}; b | c\td","test_0"\n',
        ),
        ("c.jsonl", json.dumps({"fname": "test_0", "summary": "fname,summary"}) + "\n"),
        ("d.csv", HEADER + "test_0," + "가" * 100_000 + "\n"),
    ):
        (tmp_path / name).write_text(text, encoding="utf-8")
        assert "test_0" in read_predictions(tmp_path / name, tiny)
