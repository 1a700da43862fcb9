"""A record loses folders and names of its machine, and nothing else; a secret stops it."""

from pathlib import Path

import pytest

from common.core.errors import UserError
from common.runs.portable import portable_record, private_in, private_parts


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/kimplanted")
    monkeypatch.setenv("USER", "kimplanted")
    monkeypatch.setenv("KDS_ROOT", str(tmp_path))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("/home/kimplanted", "…"),
        ("/home/lee", "…"),
        ("/data/kim lee/secret project/kobart", "…/kobart"),
        ("--model=/data/m/kobart", "--model=…/kobart"),
        ("P=/a/b:/home/kimplanted/x", "P=…/b:…/x"),
        ("C:\\Users\\kim\\models\\kobart", "…/kobart"),
        ("~/models/kobart", "…/kobart"),
        ("file:///home/lee/card.md", "file://…/card.md"),
        ('at File "/usr/lib/python3/x.py", line 3', 'at File "…/x.py", line 3'),
        ("by Kimplanted, not kimplanted2", "by …, not kimplanted2"),
    ],
)
def test_paths_and_names_are_taken_out(text: str, wanted: str) -> None:
    assert portable_record({"notes": [text]}, "x") == {"notes": [wanted]}
    assert portable_record({text: 1}, "x") == {wanted: 1}


@pytest.mark.parametrize(
    "text",
    [
        "google/gemma-3-270m", "https://api.upstage.ai/v1/chat/completions", "/no_think", "/think /no_think 대화를 요약/정리",
        "그/그녀/그들", "outputs/talk/exp001/dev/x.csv", "1/2/3", "s3://bucket/a/b", "0" * 64, "NVIDIA H200", "2.13.0+cpu", "",
    ],
)  # fmt: skip
def test_other_texts_stay(text: str) -> None:
    assert portable_record({"config": {"prompt.text": text}}, "x") == {"config": {"prompt.text": text}}


def test_a_commit_is_no_key_and_a_key_is_refused_without_its_text() -> None:
    assert portable_record({"git": {"commit": "a1" * 20}}, "x") == {"git": {"commit": "a1" * 20}}
    for key, value in (("notes", "a1" * 20), ("notes", "sk-abcd1234"), ("hf_abcdefgh12345", "x")):
        with pytest.raises(UserError, match="x: train holds what looks like") as caught:
            portable_record({"train": {key: value}}, "x")
        assert value not in str(caught.value).removeprefix("x") or value == "x"
        assert "hf_abc" not in str(caught.value)


def test_keys_of_the_environment_and_of_env_are_private(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_TOKEN", "planted value")
    (tmp_path / ".env").write_text("SOLAR_API_KEY=of-the-file\nWANDB_PROJECT=dialogue_summarization\n")
    parts = private_parts()
    assert private_in(b"x planted value", parts) == "the value of SOME_TOKEN"
    assert private_in(b"of-the-file", parts) == "the value of SOLAR_API_KEY"
    assert private_in(f"{tmp_path}/x".encode(), parts) == "a folder of this machine"
    assert private_in(b"dialogue_summarization", parts) == ""
