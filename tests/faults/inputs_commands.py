"""Give commands and make variables values that they cannot have."""

import random
import subprocess
import sys
from pathlib import Path

from tests.faults.bench import ENVIRONMENT, Command, common
from tests.faults.inputs_files import judged
from tests.faults.inputs_settings import DIGITS, LIMIT
from tests.faults.kills_files import submitting
from tests.faults.outcome import Ended, Outcome, refusal
from tests.faults.tries import Context, Try
from tests.support import REPOSITORY

LONG = "a" * 300
STRANGE = (
    "",
    "no such",
    LONG,
    "\x1b[31mred",
    "../../etc/passwd",
    "가나다",
    "$(touch PWNED)",
    "--help",
    ".",
    "/",
)
NUMBERS = ("", "0", "-1", "1.5", "abc", "1e9", DIGITS, "nan")
OPTIONS: dict[tuple[str, ...], dict[str, tuple[str, ...]]] = {
    ("use",): {"--competition": STRANGE},
    ("data", "--competition", "daily_talk"): {"--from": (*STRANGE[:5], "/dev/null", "/dev/zero", "~nobody/x")},
    ("leaks",): {"--competition": STRANGE[1:]},
    ("stats",): {"--competition": STRANGE[1:]},
    ("score", "--predictions", "outputs/daily_talk/exp002/dev/predictions.csv"):
        {"--split": STRANGE, "--profile": STRANGE, "--competition": STRANGE[1:]},
    ("score",): {"--predictions": (*STRANGE[:6], "/dev/null", "/dev/stdin", "/etc/hostname")},
    ("compare", "--a", "outputs/daily_talk/exp002/dev/predictions.csv"): {"--b": (*STRANGE[:6], "/dev/null")},
    ("submit", "--force"): {"--blend": STRANGE[1:7], "--missing": STRANGE[:3], "--stale": STRANGE[:3], "--jobs": NUMBERS[:-2],
                            "--competition": STRANGE[1:]},
    ("blend-report",): {"--candidates": NUMBERS, "--recombined": NUMBERS[2:], "--blend": STRANGE[1:7]},
    ("lb", "--public", "50"): {"--id": STRANGE},
    ("lb", "--id", "0"): {"--public": (*NUMBERS[2:], "101"), "--private": ("-1", "101", "abc", "nan", "inf")},
    ("leaderboard",): {"--competition": STRANGE[1:]},
    ("results",): {"--competition": STRANGE[1:]},
    ("postprocess",): {"--run": STRANGE},
    ("new", "exp015"): {"--from": STRANGE},
    ("new",): {"--from exp002 --": ("exp002", "x", "exp1", LONG, "exp015/../../x", "EXP014")},
}  # fmt: skip
AUGMENT = {
    "--method": STRANGE,
    "--parents": NUMBERS,
    "--name": STRANGE[1:],
    "--seed": NUMBERS,
    "--competition": STRANGE[1:],
}
TRAIN = ("--competition", "--run", "--track")
MAKE: dict[str, tuple[str, ...]] = {
    "train": ("exp=", "exp=exp999", "exp=exp002 gpus=0", "exp=exp002 gpus=abc", "exp=exp002 run=../x", "exp=--help",
              "exp=exp002 run=--help", "exp=exp002 args=--no-such-setting=1", "exp=exp002 args=--help",
              "exp=exp002 args=--epochs=0.5\n--learning-rate=-1", "exp=exp002 args=--epochs='1",
              "exp=exp002 nodes=--nnodes=2 extra", "exp=exp002 track=maybe"),
    "infer": ("exp=", "exp=exp999", "exp=exp002 run=exp001", "exp=exp002 args=stray"),
    "submit": ("blend=nothing", "missing=maybe", "jobs=0", "jobs=two", "stale=perhaps", "blend=--help"),
    "data": ("comp=daily_talk", "comp=nothing from=.", "comp=daily_talk from=nowhere", "comp=daily_talk from=--help"),
    "score": ("pred=nothing.csv", "pred=. split=dev", "pred=submissions/daily_talk.csv split=train"),
    "compare": ("a=x", "a=x b=y", "b=y"),
    "lb": ("id=x", "id=x public=abc", "id=", "public=5"),
    "augment": ("method=nothing", "method=", "method=turn_drop n=-1", "method=turn_drop n=abc", "method=turn_drop split=dev"),
    "new": ("exp=exp002 from=exp001", "exp=x from=exp001", "exp=exp015 from=x", "exp=exp015"),
    "use": ("comp=nothing", "comp="),
    "blend-report": ("blend=nothing", "args=--candidates=0", "args=--nothing"),
    "postprocess": ("run=nothing", "run="),
    "track": ("folder=nowhere", "folder=. mode=maybe"),
    "merge": ("run=nothing", "run=", "run=exp002"),
    "nothing": ("",),
}  # fmt: skip


def tries(context: Context) -> list[Try]:
    """Return the tries."""
    found = []
    for command, by_option in OPTIONS.items():
        for option, values in by_option.items():
            for number, value in enumerate(values):
                words = (*command, *option.split(), value)
                name = f"{' '.join(command)} {option} #{number} {value[:20]!r}"
                found.append(Try("bad options", command[0], name, refused, common(*words)))
    for option, values in AUGMENT.items():
        for number, value in enumerate(values):
            if option == "--seed" and value in ("0", "-1", DIGITS):
                continue  # checked with the settings
            words = ("--competition", "daily_talk", "--method", "turn_drop", option, value)
            found.append(Try("bad options", "augment", f"augment {option} #{number} {value[:20]!r}", refused,
                             Command("common.augment", words)))  # fmt: skip
    for option in TRAIN:
        for number, value in enumerate(STRANGE[1:]):  # "" is the default
            found.append(Try("bad options", "train", f"train {option} #{number} {value[:20]!r}", refused,
                             Command("experiments.exp001.train", (option, value))))  # fmt: skip
    by_make = [
        Try(
            "bad options",
            f"make {target}",
            f"make {target} #{number} {words[:60]!r}",
            refused_by_make,
            (target, words),
        )
        for target, given in MAKE.items()
        for number, words in enumerate(given)
    ]
    if context.short:
        return random.Random(6).sample(found, 15) + random.Random(6).sample(by_make, 2)
    return found + by_make


def refused(context: Context, this: Try, _: random.Random) -> Outcome:
    """Run the command; it must be refused in one line, and change nothing."""
    if "--help" in this.given.arguments and this.given.arguments[-1] == "--help":
        return _help(context, this)
    root = context.bench.repository(submitting(context))
    outcome = judged(context, root, this.given)
    if (root / "PWNED").exists():
        return Outcome("wrong", "a value was run by a shell")
    return outcome


def _help(context: Context, this: Try) -> Outcome:
    """`--option --help`: click takes the word as the value; a help text is as good as a refusal."""
    root = context.bench.repository(submitting(context))
    ended = context.bench.run(root, this.given, LIMIT)
    return Outcome("ok", "shows the help") if ended.code == 0 and "Usage" in ended.stdout else refusal(ended)


def refused_by_make(context: Context, this: Try, _: random.Random) -> Outcome:
    """Run make with these variables; it must be refused in one line, and change nothing but caches."""
    target, words = this.given
    root = context.bench.repository(submitting(context))
    names = (
        "exp",
        "run",
        "args",
        "nodes",
        "gpus",
        "track",
        "from",
        "split",
        "public",
        "mode",
        "method",
        "n",
        "b",
        "jobs",
    )
    variables = _split(words, names)
    venv = Path(sys.prefix)
    command = [
        "make",
        "-f",
        str(REPOSITORY / "Makefile"),
        f"VENV={venv}",
        "-o",
        str(venv / "ready"),
        target,
        *variables,
    ]
    logs = context.bench.folder / "make"
    logs.mkdir(parents=True, exist_ok=True)
    environment = {**ENVIRONMENT, "PATH": "/usr/bin:/bin", "HOME": str(logs), "KDS_ROOT": str(root),
                   "KDS_MODEL_CACHE": str(context.bench.cache)}  # fmt: skip
    try:
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False,
                              timeout=3 * LIMIT, stdin=subprocess.DEVNULL)  # fmt: skip
    except subprocess.TimeoutExpired as error:
        return Outcome("hang", f"no end after {error.timeout:.0f} s")
    kept = [line for line in done.stderr.splitlines() if not line.startswith("make: *** [")]
    if words.endswith("--help") and done.returncode == 0 and "Usage" in done.stdout:
        return Outcome("ok", "shows the help")
    return refusal(Ended(done.returncode, done.stdout, "\n".join(kept), 0.0))


def _split(words: str, names: tuple[str, ...]) -> list[str]:
    """Return the variables of "a=1 b=2 3" as ["a=1", "b=2 3"]."""
    found: list[str] = []
    for word in words.split(" "):
        if (
            word.partition("=")[0]
            in (*names, "comp", "pred", "a", "id", "blend", "missing", "stale", "folder")
            and "=" in word
        ):
            found.append(word)
        elif found:
            found[-1] += f" {word}"
    return found
