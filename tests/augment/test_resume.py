"""Augmentation that is killed or finds a full disk goes on later and ends with the same rows."""

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from common import augment
from common.augment import making
from common.core.errors import UserError
from tests.support import REPOSITORY
from tests.support.augmenting import SYNONYMS, job, polite, record
from tests.support.disk import full_disk


def killed(command: Sequence[str], products: Path, lines: int) -> bytes:
    """What is in the file after the command's process was killed by SIGKILL, once it held so many lines."""
    process = subprocess.Popen(
        command,
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    while process.poll() is None and not (products.exists() and products.read_bytes().count(b"\n") >= lines):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    _, errors = process.communicate()
    assert process.returncode == -signal.SIGKILL, errors
    assert not (products.parent / "run.json").exists()
    content = products.read_bytes()
    with products.open("ab") as handle:
        handle.write(b'{"train_1": {"dial')  # what a kill in the middle of a line leaves
    return content


def same_files(cut: Path, whole: Path) -> None:
    for name in ("rows.csv", "rejected.csv", "products.jsonl"):
        a, b = (folder.joinpath(name).read_text(encoding="utf-8") for folder in (cut, whole))
        assert a.replace(".cut", ".whole") == b


@pytest.mark.slow
def test_a_killed_model_goes_on_and_ends_with_the_same_rows(talk: Path) -> None:
    """`python -m common augment` with a real translation model, killed in the middle."""
    words = ["--model=tiny:m2m100", "--rows-at-once=1", "--beams=1", "--max-new-tokens=6"]
    folder = talk / "outputs" / "daily_talk" / "augmented" / "cut"
    command = [
        sys.executable,
        "-m",
        "common",
        "augment",
        "--method=back_translation",
        "--competition=daily_talk",
    ]
    before = killed([*command, "--parents=10", "--name=cut", *words], folder / "products.jsonl", 2)
    assert 2 <= before.count(b"\n") < 10
    with pytest.raises(UserError, match=r"not found.*make augment method=METHOD name=cut comp=daily_talk"):
        augment.read("daily_talk", "cut")
    cut = making.augment(job("back_translation", *words, n=10, name="cut"))
    assert (folder / "products.jsonl").read_bytes().startswith(before)
    whole = making.augment(job("back_translation", *words, n=10, name="whole"))
    same_files(cut.folder, whole.folder)
    assert (cut.kept, record(cut)["model"]["model"]) == (0, "tiny:m2m100")  # it is random and says nothing


SLOW = f"""
import time
from common.augment.making import Job, augment
from common.augment.settings import settings
from common.core.config import override
from common.data.competition_file import load_competition

def slow(texts, source, target):
    time.sleep(0.05)
    for old, new in {SYNONYMS!r}.items() if target == "ko" else ():
        texts = [text.replace(old, new) for text in texts]
    return list(texts)

config, overrides = override(settings("back_translation"), ["--rows-at-once=2"])
augment(Job(load_competition("daily_talk"), "back_translation", "cut", 50, config, overrides), translator=slow)
"""


def test_a_killed_run_goes_on_and_ends_with_the_same_rows(
    talk: Path,
) -> None:
    folder = talk / "outputs" / "daily_talk" / "augmented" / "cut"
    before = killed([sys.executable, "-c", SLOW], folder / "products.jsonl", 7)
    assert 7 <= before.count(b"\n") < 25
    sent: list[str] = []

    def spying(texts: Sequence[str], source: str, target: str) -> list[str]:
        sent.extend(texts)
        return polite(texts, source, target)

    cut = making.augment(job("back_translation", "--rows-at-once=2", n=50, name="cut"), translator=spying)
    part = len(sent)
    whole = making.augment(job("back_translation", "--rows-at-once=2", n=50, name="whole"), translator=spying)
    assert part < (len(sent) - part) * 0.9  # what was there was not asked again
    same_files(cut.folder, whole.folder)
    assert cut.kept == whole.kept > 5
    assert len(augment.read("daily_talk", "cut")) == cut.kept


def test_a_full_disk_is_one_message_and_the_run_goes_on_later(talk: Path) -> None:
    with (
        full_disk(3000),
        pytest.raises(UserError, match=r"augmented/turn_drop.*(cannot be written|writing failed)"),
    ):
        making.augment(job("turn_drop"))
    folder = talk / "outputs" / "daily_talk" / "augmented" / "turn_drop"
    assert not (folder / "run.json").exists()
    assert making.augment(job("turn_drop")).kept
    assert augment.read("daily_talk", "turn_drop")
