"""Kill inference, the API client, submit and the import of data; then run the same command and compare."""

import hashlib
import random
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from tests.faults import worlds
from tests.faults.answering import endpoint
from tests.faults.bench import Bench, Command, common, die_at_write, stage
from tests.faults.outcome import Outcome, success
from tests.faults.tries import Context, Try
from tests.faults.worlds import COMPETITION, Undisturbed, difference, hashes, json_lines

COUNT = 70
COLD = 6
"""Of so many tries one is killed in a new interpreter."""
WORKERS = 4
RECIPE = """competition = "daily_talk"
method = "vote"
members = [{ run = "exp001", weight = %s }, { run = "exp002", weight = 2.0 }]
"""


@dataclass(frozen=True)
class Work:
    """A command, where it runs, and how its result is judged."""

    name: str
    template: Callable[[Context], Path]
    command: Callable[[str], Command]
    """Takes the URL of the endpoint."""
    result: Callable[[Path], dict[str, str]]
    halfway: Callable[[Path, Path], str]
    """What is wrong with the files after a kill, compared with the template; "" for nothing."""
    served: bool = False


def tries(context: Context) -> list[Try]:
    """Return the tries."""
    return [Try("kills of commands", work.name, str(number), killed, work)
            for work in WORKS for number in range(2 if context.short else COUNT)]  # fmt: skip


def killed(context: Context, this: Try, rng: random.Random) -> Outcome:
    """Kill a command once or twice, look at its files, run it again, and compare with an undisturbed run."""
    bench, work = context.bench, this.given
    template = work.template(context)
    with endpoint(bench.folder / "endpoint") as served:
        command = work.command(served.url)

        def measure(folder: Path) -> Undisturbed:
            found = worlds.measured(bench, template, command, work.result)(folder)
            return replace(found, answers=served.answered())

        expected = worlds.undisturbed(bench, context.work, work.name, measure)
        cold = 0.0
        if int(this.name) % COLD == COLD - 1:
            cold = worlds.cold_seconds(bench, context.work, work.name, template, command)
        before = served.answered()  # after the measurements, which ask too
        root = bench.repository(template)
        reached = 0
        for _ in range(rng.choice((1, 1, 2))):
            reached += _kill(bench, root, command, expected, rng, cold)
            if problem := work.halfway(template, root):
                return Outcome("torn", problem, reached)
        ended = bench.run(root, command)
        paid = served.answered() - before
    if problem := success(ended):
        return Outcome(problem.kind, problem.detail, reached)
    if changed := difference(expected.result, work.result(root)):
        return Outcome("wrong", f"differs from the undisturbed run: {changed}", reached)
    if problem := work.halfway(template, root):
        return Outcome("torn", problem, reached)
    if left := worlds.left_over(root):
        return Outcome("torn", f"left behind: {', '.join(left[:3])}", reached)
    twice = paid - expected.answers
    if twice > WORKERS * reached:
        return Outcome("wrong", f"{twice} answers were paid twice after {reached} kills", reached)
    return Outcome("ok", f"{twice} answers under way were paid twice" if work.served else "", reached)


def _kill(
    bench: Bench, root: Path, command: Command, expected: Undisturbed, rng: random.Random, cold: float
) -> bool:
    if cold:
        started = bench.start(root, command, cold=True)
        if started.sleep_until(rng.uniform(0.05, cold)):
            started.send(signal.SIGKILL)
    elif rng.random() < 0.4:
        started = bench.start(root, command)
        if started.sleep_until(rng.uniform(0, expected.seconds)):
            started.send(signal.SIGKILL)
    else:
        number = rng.randint(1, max(1, expected.writes))
        started = bench.start(root, command, prepare=die_at_write(root, number))
    return started.wait().code == -signal.SIGKILL


def predictions(experiment: str) -> Callable[[Path], dict[str, str]]:
    """Return a function that hashes what an inference leaves."""
    wanted = ("dev/", "test/")

    def result(root: Path) -> dict[str, str]:
        return hashes(
            root / "outputs" / COMPETITION / experiment,
            lambda name: name.startswith(wanted) and "/." not in name,
        )

    return result


def nothing_to_see(template: Path, root: Path) -> str:
    """Judge nothing halfway: the result is compared at the end."""
    return ""


def submitting(context: Context) -> Path:
    """Return a repository with two inferred runs and one submission, whose recipe has changed since."""

    def build(root: Path) -> None:
        bench = context.bench
        shutil.copytree(worlds.inferred(bench, context.work, "full, seq2seq"), root, symlinks=True)
        for command in (stage("exp001", "train", "--competition", COMPETITION),
                        stage("exp001", "infer", "--competition", COMPETITION)):  # fmt: skip
            if problem := success(bench.run(root, command)):
                raise RuntimeError(f"{command}: {problem}")
        recipe = root / "submissions" / "daily_talk.toml"
        recipe.write_text(RECIPE % "9.0", encoding="utf-8")
        if problem := success(bench.run(root, common("submit", "--force"))):
            raise RuntimeError(f"submit: {problem}")
        recipe.write_text(RECIPE % "1.0", encoding="utf-8")

    return worlds.template(context.work, "submitting", build)


def submitted(root: Path) -> dict[str, str]:
    """Return the hash of the CSV, and what the ledger's newest line says of it."""
    path = root / "submissions" / "daily_talk.csv"
    sha = hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "none"
    newest = json_lines(root / "submissions" / "ledger.jsonl")[-1]
    return {"submissions/daily_talk.csv": sha, "ledger": newest["csv_sha256"]}


def ledger_fault(template: Path, root: Path) -> str:
    """Return a torn line, a line whose CSV was never written, a lost line or an id that occurs twice."""
    try:
        old, found = (json_lines(r / "submissions" / "ledger.jsonl") for r in (template, root))
    except ValueError as error:
        return f"submissions/ledger.jsonl: {error}"
    if found[: len(old)] != old:
        return "submissions/ledger.jsonl: an earlier line changed"
    ids = [(line["id"], line["time"]) for line in found if "lb" not in line]
    if len({name for name, _ in ids}) != len(ids):
        return f"submissions/ledger.jsonl: an id occurs twice: {ids}"
    files = [root / "submissions" / "daily_talk.csv", template / "submissions" / "daily_talk.csv"]
    present = {hashlib.sha256(path.read_bytes()).hexdigest() for path in files if path.exists()}
    if lost := [line["id"] for line in found if "lb" not in line and line["csv_sha256"] not in present]:
        return f"submissions/ledger.jsonl: no CSV for the line {lost[0]}"
    return ""


def importing(context: Context) -> Path:
    """Return a repository with data, and beside it (`new/`) a second version of all five files."""

    def build(root: Path) -> None:
        shutil.copytree(worlds.base(context.work), root, symlinks=True)
        shutil.copytree(root / "competitions" / COMPETITION / "data", root / "new")
        for path in (root / "new").glob("*.csv"):
            text = path.read_text(encoding="utf-8")
            changed = text.replace("에서", " 근처에서").replace('"요약"', '"짧은 요약"')
            assert changed != text, path
            path.write_text(changed, encoding="utf-8")

    return worlds.template(context.work, "importing", build)


def data_files(root: Path) -> dict[str, str]:
    """Return the hashes of the competition's data files."""
    return hashes(root / "competitions" / COMPETITION / "data", lambda name: not name.startswith("."))


def data_fault(template: Path, root: Path) -> str:
    """Return a mixture of old and new data files."""
    found, old, new = data_files(root), data_files(template), hashes(template / "new")
    if found in (old, new):
        return ""
    states = {name: "new" if found.get(name) == new[name] else "old" if found.get(name) == old[name] else "torn"
              for name in new}  # fmt: skip
    return f"a mixture of data files: {states}"


WORKS = (
    Work("infer", lambda c: worlds.trained(c.bench, c.work, "full, seq2seq"),
         lambda _: stage("exp002", "infer", "--competition", COMPETITION, "--tokens-at-once=60"),
         predictions("exp002"), nothing_to_see),
    Work("API client", lambda c: worlds.grown(c.bench, c.work, "api", worlds.base(c.work), asking("train", "http://127.0.0.1:9")),
         lambda url: asking("infer", url), predictions("exp006"), nothing_to_see, served=True),
    Work("submit and ledger", submitting, lambda _: common("submit", "--force"), submitted, ledger_fault),
    Work("make data", importing, lambda _: common("data", "--competition", COMPETITION, "--from", "new"), data_files,
         data_fault),
)  # fmt: skip


def asking(name: str, url: str) -> Command:
    """Return a stage of exp006 that asks the endpoint at `url`; equal questions get equal answers."""
    return stage("exp006", name, "--competition", COMPETITION, f"--base-url={url}", "--model=m", "--temperature=0",
                 f"--workers={WORKERS}", "--requests-per-minute=100000", "--tokens-per-minute=100000000",
                 "--longest-wait=0.05", "--attempts=20", "--samples=2", "--shots=1")  # fmt: skip
