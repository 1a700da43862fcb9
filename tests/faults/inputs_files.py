"""Put something else where a file belongs, and rows that no file may have."""

import os
import random
import shutil
import socket
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.faults.answering import endpoint
from tests.faults.bench import Command, common, stage
from tests.faults.inputs_settings import DIGITS, LIMIT
from tests.faults.kills_files import importing, submitting
from tests.faults.outcome import Outcome, refusal
from tests.faults.tries import Context, Try
from tests.faults.worlds import COMPETITION, TRAININGS

DATA = f"competitions/{COMPETITION}/data"
RUN = f"outputs/{COMPETITION}/exp002"
SCORE = "score"


@dataclass(frozen=True)
class Target:
    """A file that a command reads."""

    name: str
    path: str
    command: Command
    template: Callable[[Context], Path] = submitting
    may_change: str = " "
    """Beginning of the paths that a refusal may change: a run that began is recorded."""


def _put_fifo(path: Path, _: bytes) -> None:
    os.mkfifo(path)


def _put_folder(path: Path, _: bytes) -> None:
    path.mkdir()


def _put_zeros(path: Path, _: bytes) -> None:
    path.symlink_to("/dev/zero")


def _put_loop(path: Path, _: bytes) -> None:
    path.symlink_to(path.name)


def _put_socket(path: Path, _: bytes) -> None:
    there = os.open(".", os.O_RDONLY)
    os.chdir(path.parent)  # the name of a socket has at most 107 bytes
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.fchdir(there)
        os.close(there)


def _bytes(make: Callable[[bytes], bytes]) -> Callable[[Path, bytes], None]:
    return lambda path, old: void(path.write_bytes(make(old)))


def void(_: object) -> None:
    """Ignore a value."""


def png() -> bytes:
    """Return a picture of one pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b"\0\xff\0\0"))
        + chunk(b"IEND", b"")
    )


PUT: dict[str, Callable[[Path, bytes], None]] = {
    "FIFO": _put_fifo,
    "/dev/zero": _put_zeros,
    "folder": _put_folder,
    "link to itself": _put_loop,
    "socket": _put_socket,
    "picture": _bytes(lambda _: png()),
    "UTF-32": _bytes(lambda old: old.decode("utf-8", "replace").encode("utf-32")),
    "UTF-16": _bytes(lambda old: old.decode("utf-8", "replace").encode("utf-16")),
    "empty": _bytes(lambda _: b""),
    "NUL bytes": _bytes(lambda _: bytes(4096)),
    "nested 5,000 deep": _bytes(lambda _: b"x = " + b"[" * 5000 + b"]" * 5000 + b"\n"),
    "nested JSON": _bytes(lambda _: b"[" * 100_000 + b"\n"),
    "number of 400 digits": _bytes(lambda _: f"{DIGITS}\n".encode()),
    "number of 5,000 digits": _bytes(lambda _: b"7" * 5000 + b"\n"),
    "header of 100,000 columns": _bytes(
        lambda _: ",".join(f"c{n}" for n in range(100_000)).encode() + b"\n1\n"
    ),
    "escape sequences": _bytes(lambda _: b"\x1b[31mred\x07,\x1b]0;title\x07\n1,2\n"),
    "random bytes": _bytes(lambda _: random.Random(5).randbytes(5000)),
    "invalid UTF-8 inside": _bytes(lambda old: old[: len(old) // 2] + b"\xff\xfe\xfa" + old[len(old) // 2 :]),
    "other JSON": _bytes(lambda _: b'{"a": [1, {"b": null}]}\n'),
}
"""What is put in the file's place; takes the path, which is free, and the old content."""

TARGETS = (
    Target("predictions", "p.csv", common(SCORE, "--predictions", "p.csv")),
    Target("predictions, JSON Lines", "p.jsonl", common(SCORE, "--predictions", "p.jsonl")),
    Target("b of compare", "p.csv", common("compare", "--a", f"{RUN}/dev/predictions.csv", "--b", "p.csv")),
    *(Target(f"from=, {name}", f"new/{name}", common("data", "--competition", COMPETITION, "--from", "new"), importing)
      for name in ("train.csv", "dev.csv", "test.csv", "sample_submission.csv", "solution.csv")),
    Target("from=, archive", "new.zip", common("data", "--competition", COMPETITION, "--from", "new.zip"), importing),
    Target("train.csv of train", f"{DATA}/train.csv", stage("exp001", "train", "--competition", COMPETITION)),
    Target("dev.csv of leaks", f"{DATA}/dev.csv", common("leaks")),
    Target("recipe", "submissions/daily_talk.toml", common("submit", "--force")),
    Target("competition.toml", f"competitions/{COMPETITION}/competition.toml", common("leaks")),
    Target("active competition", ".active-competition", common("list")),
    Target("ledger", "submissions/ledger.jsonl", common("leaderboard")),
    Target("ledger of submit", "submissions/ledger.jsonl", common("submit", "--force")),
    Target("run.json of a member", f"{RUN}/run.json", common("submit", "--force", "--stale", "ok")),
    Target("candidates of a member", f"{RUN}/dev/candidates.jsonl", common("submit", "--force", "--stale", "ok")),
    Target("predictions of a member", f"{RUN}/dev/predictions.csv", common("submit", "--force", "--stale", "ok")),
    Target("results of a run", f"results/{COMPETITION}/exp002.json", common("results")),
    Target("run.json of infer", f"{RUN}/run.json", TRAININGS["full, seq2seq"].infer(), may_change=RUN),
    Target(".env", ".env", Command("experiments.exp006.train", (f"--competition={COMPETITION}", "--model=m",
                                                                "--key-name=KEY_OF_THE_FILE")),
           may_change=f"outputs/{COMPETITION}/exp006/"),
)  # fmt: skip
EMPTY_IS_FINE = {"ledger of submit", "ledger", "candidates of a member"}

CSV_HEADER = "fname,dialogue,summary,topic\n"
ROWS: dict[str, Callable[[str], str]] = {
    "quote not closed": lambda t: t.replace('"train_3","', '"train_3","\n"', 1),
    "id twice": lambda t: t.replace('"train_4"', '"train_3"', 1),
    "empty id": lambda t: t.replace('"train_4"', '""', 1),
    "blank id": lambda t: t.replace('"train_4"', '"  "', 1),
    "id with escape sequence": lambda t: t.replace('"train_4"', '"train_4\x1b[31m"', 1),
    "one field too many": lambda t: t.replace('"train_4",', '"train_4","x",', 1),
    "one field too few": lambda t: t.replace('"train_4",', "", 1),
    "empty dialogue": lambda t: t.replace("#Person", "", 1).replace('"train_0","', '"train_0","","', 1),
    "header twice": lambda t: t.replace('"fname"', '"fname","fname"', 1),
    "header missing": lambda t: t.partition("\n")[2],
    "header with blanks": lambda t: t.replace('"dialogue"', '" dialogue "', 1),
    "tabs": lambda t: t.replace('","', '"\t"'),
    "semicolons": lambda t: t.replace('","', '";"'),
    "NUL in a cell": lambda t: t.replace("Person1", "Per\0son1", 1),
    "cell over the limit": lambda t: t.replace("#Person1#", "가" * 200_000, 1),
    "carriage returns alone": lambda t: t.replace("\n", "\r"),
    "half of the rows": lambda t: t[: len(t) // 2],
    "id of 100,000 characters": lambda t: t.replace('"train_4"', '"' + "a" * 100_000 + '",', 1),
    "header only": lambda t: t.partition("\n")[0] + "\n",
    "id of another split": lambda t: t.replace('"train_4"', '"dev_4"', 1),
}


def tries(context: Context) -> list[Try]:
    """Return the tries."""
    found = [
        Try("bad files", target.name, kind, refused, (target, kind))
        for target in TARGETS
        for kind in PUT
        if not (kind == "empty" and target.name in EMPTY_IS_FINE)
        and not (kind == "UTF-16" and target.name in EMPTY_IS_FINE)
    ]
    found += [Try("bad files", "rows of train.csv", name, refused_rows, name) for name in ROWS]
    return random.Random(4).sample(found, 20) if context.short else found


def refused(context: Context, this: Try, _: random.Random) -> Outcome:
    """Put something else in the file's place; the command must refuse it and write nothing."""
    target, kind = this.given
    root = context.bench.repository(target.template(context))
    path = root / target.path
    if target.name == "from=, archive":
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted((root / "new").glob("*.csv")):
                archive.write(file, file.name)
        shutil.rmtree(root / "new")
    old = path.read_bytes() if path.exists() else (root / RUN / "dev" / "predictions.csv").read_bytes()
    path.unlink(missing_ok=True)
    PUT[kind](path, old)
    return judged(context, root, target.command, target.may_change)


def refused_rows(context: Context, this: Try, _: random.Random) -> Outcome:
    """Import a train.csv with such rows; it must be refused, and the old files stay."""
    root = context.bench.repository(importing(context))
    path = root / "new" / "train.csv"
    old = path.read_text(encoding="utf-8")
    new = ROWS[this.given](old)
    assert new != old, this.given
    path.write_bytes(new.encode())
    return judged(context, root, common("data", "--competition", COMPETITION, "--from", "new"))


def judged(context: Context, root: Path, command: Command, may_change: str = " ") -> Outcome:
    """Run the command; it must end with one clear line, within the time limit, and leave every file as it was.

    `may_change`: the beginning of the paths that it may change all the same.
    """
    before = _files(root)
    with endpoint(context.bench.folder / "endpoint"):
        ended = context.bench.run(root, command, LIMIT)
    outcome = refusal(ended)
    changed = sorted({name for name, _ in set(_files(root).items()) ^ set(before.items())})
    if outcome.kind == "ok" and (changed := [name for name in changed if not name.startswith(may_change)]):
        return Outcome("wrong", f"refused, but it changed {changed[0]}")
    return outcome


def _files(root: Path) -> dict[str, int]:
    """Return the time of the last change of every regular file; locks and caches are left out."""
    found = {}
    for path in root.rglob("*"):
        if path.suffix != ".lock" and ".cache" not in path.parts and not path.is_symlink() and path.is_file():
            found[str(path.relative_to(root))] = path.stat().st_mtime_ns
    return found
