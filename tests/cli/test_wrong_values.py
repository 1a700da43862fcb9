"""Every make target with a wrong value for every variable that it takes: one line, an exit code, and nothing written.

The targets and their variables come from TARGETS, so a new one is tried as well.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from common.cli.make import settings
from common.cli.targets import SWITCHES, TARGETS
from common.runs.export import export_run
from common.submission import ledger
from tests.faults.outcome import message_fault
from tests.support.commands import Ended, files, make

NONSENSE = "\x1b[31mno such/thing"
"""Wrong for everything: no name, number, choice, switch, day, or file, and a control character in a note."""
MORE = {
    "id": ("zz", "--help"),
    "comp": ("nowhere", "--help", "../talk"),
    "exp": ("exp999", "../exp001"),
    "run": ("../x", "exp999", "--help"),
    "blend": ("nothing", "../talk"),
    "jobs": ("0", "-1", "two", "1.5"),
    "gpus": ("0", "-1", "two"),
    "n": ("0", "-1", "many"),
    "public": ("-1", "101", "nan", "high"),
    "dev": ("-1", "101", "nan", "gone.csv", "theirs.csv"),
    "private": ("-1", "101", "inf", "high"),
    "as": ("../x", "exp1", "--help"),
    "to": ("outputs", "no/such/folder/x.zip"),
    "uploaded": ("tomorrow", "2999-01-01", "1"),
    "note": ("two\nlines", "x" * 201),
    "text": ("two\nlines", "x" * 5000),
    "args": ("--no-such-setting=1", "'"),
    "split": ("train",),
    "q": (" ",),
    "count": ("0", "-1", "many"),
    "top": ("-1", "all"),
    "storage": ("mysql://someone:hidden@db/sweeps", "postgresql://db"),
}
"""Other wrong values of a variable. A variable that is not here is tried with NONSENSE alone."""
PREDICTIONS = "outputs/talk/exp001/dev/predictions.csv"
RIGHT = {
    "pred": PREDICTIONS, "a": PREDICTIONS, "b": PREDICTIONS, "exp": "exp001", "run": "exp001", "comp": "talk", "id": "aaa",
    "folder": "outputs/talk/exp001", "q": "a question", "method": "turn_drop", "public": "50", "text": "a note",
}  # fmt: skip
"""A right value for each variable that a target needs or wants besides the wrong one."""
ELSEWHERE = {
    "import-adapter": {"from": "experiments", "base": "tiny:qwen2", "as": "exp001-theirs"},
    "predict": {"text": "#Person1#: hello"},
    "new": {"exp": "exp015", "from-trial": "exp001"},
    "data": {"from": "competitions/talk/data"},
    "register": {"name": "theirs", "pred": "theirs.csv"},
    "import": {"from": "exported.zip"},
}
"""Right values of single targets."""
BESIDE = {
    "lb": "public",
    "train": "exp",
    "infer": "exp",
    "predict": "text",
    "submit": "",
    "pick": "id",
    "augment": "method",
    "settings": "exp",
    "new": "from-trial",
}
"""A variable that a target wants in addition to those it needs, so that only the wrong value is to blame."""
NO_REQUEST = {("docs", "q"), ("docs", "lib"), ("docs", "fresh"), ("faults", "args")}
"""Variables that go to a service or start the long run of faults: any text is a question."""
NAMES = {"comp": "competition", "pred": "predictions", "n": "parents", "q": "query"}
"""Names of options that are not those of their variable."""

Case = tuple[str, str, str]


def cases() -> list[Case]:
    """Return (target, variable, wrong value) for every variable of every target."""
    found = []
    for target in TARGETS:
        for variable in settings(target):
            if (target, variable) in NO_REQUEST:
                continue
            more = (
                ("exp001", "../exp001") if target == "new" and variable == "exp" else MORE.get(variable, ())
            )
            values = (NONSENSE,) if variable in SWITCHES else (NONSENSE, *more)
            found += [(target, variable, value) for value in values]
    return found


def words(case: Case) -> list[str]:
    """Return the command line of make, in which only the case's variable is wrong."""
    target, variable, value = case
    needed = [*TARGETS[target].needs.split(), *BESIDE.get(target, "").split()]
    given = {name: {**RIGHT, **ELSEWHERE.get(target, {})}.get(name, "") for name in needed}
    return [target, *(f"{name}={text}" for name, text in (given | {variable: value}).items())]


def entry() -> dict[str, object]:
    return {
        "id": "aaa", "time": "2026-11-27T16:00:00+00:00", "recipe": "talk", "competition": "talk", "method": "vote",
        "csv_sha256": "a" * 64, "members": [], "stale": {}, "git": {"commit": None, "dirty": False}, "data": {}, "dev": {},
    }  # fmt: skip


def fault(ended: Ended, case: Case) -> str:
    """Return what is wrong with the answer to a wrong value; "" for one clear line and an exit code."""
    if ended.returncode == 0:
        return f"accepted: {ended.stdout[-200:]!r}"
    if "Traceback" in ended.stderr + ended.stdout:
        return f"a traceback: {ended.stderr[-300:]!r}"
    if ended.stdout.strip():
        return f"prints to stdout: {ended.stdout[:200]!r}"
    kept = [line for line in ended.stderr.splitlines() if not line.startswith("make: *** [")]
    problem = message_fault("\n".join(kept))
    if not problem and len(kept) != 1:
        problem = f"{len(kept)} lines"
    _, variable, value = case
    named = (
        variable,
        NAMES.get(variable, variable),
        value.partition("=")[0][:20] if value != NONSENSE else "[31mno",
    )
    if not problem and not any(name in ended.stderr for name in named):
        problem = "another reason"
    return problem and f"{problem}: {ended.stderr[-400:]!r}"


@pytest.mark.slow
def test_every_variable_of_every_target_with_wrong_values(repository: Path) -> None:
    ledger.append(entry())
    export_run("talk", "exp001", repository / "exported.zip", weights=False)
    (repository / "theirs.csv").write_text("fname,summary\ntest_0,a\ntest_2,b\ntest_10,c\n")
    before = files(repository)
    tried = cases()
    with ThreadPoolExecutor(4) as pool:
        ended = list(pool.map(lambda case: make(repository, *words(case)), tried))
    wrong = {
        " ".join(map(repr, words(case))): problem
        for case, one in zip(tried, ended, strict=True)
        if (problem := fault(one, case))
    }
    assert not wrong, "\n".join(f"{case}: {problem}" for case, problem in wrong.items())
    assert files(repository) == before


def test_every_target_refuses_what_it_does_not_take_by_name(repository: Path) -> None:
    before = files(repository)
    every = sorted({name for target in TARGETS for name in settings(target)})
    tried = []
    for number, target in enumerate(TARGETS):
        others = [name for name in every if name not in settings(target)]
        tried += [(target, name) for name in (others[number % len(others)], "nonsuch")]
    with ThreadPoolExecutor(4) as pool:
        ended = list(pool.map(lambda case: make(repository, case[0], f"{case[1]}=x"), tried))
    for (target, name), one in zip(tried, ended, strict=True):
        assert (one.returncode, one.stdout) == (2, ""), (target, name, one)
        lines = [line for line in one.stderr.splitlines() if not line.startswith("make: *** [")]
        assert len(lines) == 1, (target, name, one)
        assert f"error: make {target}: " in lines[0]
        assert f"{name}=" in lines[0]
    assert files(repository) == before


def test_a_right_value_is_known_for_everything_that_a_target_needs() -> None:
    """Without it a target would be refused for what is missing, and its other variables would not be tried."""
    for target, known in TARGETS.items():
        for name in known.needs.split():
            assert name in {**RIGHT, **ELSEWHERE.get(target, {})}, (
                f"make {target}: add a right value of {name}= to RIGHT"
            )
