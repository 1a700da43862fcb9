"""Print what `make` and `make help TARGET` say, to the terminal's width and in the user's language.

`common/cli/make.py` loads this file before anything is installed, so it uses only the standard library. The descriptions
are the comments of the Makefile's targets: `target: … ## SETTINGS: DESCRIPTION`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from common.core.extraction import without_settings
from common.core.language import translated
from common.core.terminal import filled, styled, width

IN_A_PIPE = 100
"""Width in columns where there is no terminal."""
GROUPS = {
    "train": ("setup", "data", "train", "infer", "submit", "lb"),
    "stats": ("use", "stats", "leaks", "augment"),
    "list": ("list", "settings", "new", "sweep", "sweep-report", "predict", "merge", "import-adapter", "smoke"),
    "runs": ("runs", "watch", "note", "archive", "restore", "export", "import"),
    "score": ("score", "compare", "postprocess", "blend-report", "results", "track"),
    "leaderboard": ("upload", "pick", "leaderboard", "report", "reproduce", "validate", "register", "demo"),
    "check": (
        "help", "completion", "doctor", "docs", "test", "faults", "gpu-check", "bench", "audit", "check", "messages", "format"
    ),
}  # fmt: skip
"""The targets in the order in which `make` shows them, by a target that names the group."""
_HEADINGS = {
    "train": "Main path, in this order",
    "stats": "Data and training rows",
    "list": "Experiments and models",
    "runs": "Runs on this machine",
    "score": "Results and comparisons",
    "leaderboard": "Submissions and leaderboard",
    "check": "Repository and help",
}


@dataclass(frozen=True)
class Setting:
    """What a setting of a target means to its user."""

    meaning: str
    example: str
    """The setting with a value, as it is typed."""
    values: tuple[str, ...] = ()
    """Every value that it can have, where these are few."""


_ON = ("1",)
SETTINGS: dict[str, Setting] = {
    "exp": Setting("name of an experiment, a folder in experiments/", "exp=exp002"),
    "comp": Setting("another competition than the active one", "comp=daily_talk"),
    "run": Setting("name of a run, as make runs lists it", "run=exp002-wide"),
    "args": Setting(
        "changed settings of the experiment, as --name value; docs/settings.md explains them",
        'args="--epochs=2 --seed=3"',
    ),
    "restart": Setting("move the old run to replaced/ and begin again", "restart=1", _ON),
    "smoke": Setting("use a tiny model and a few rows, for a test in seconds", "smoke=1", _ON),
    "gpus": Setting("number of processes on this machine, one for each GPU; default 1", "gpus=2"),
    "nodes": Setting(
        "options of torchrun to train on several machines; docs/gpu.md explains them", 'nodes="--nnodes=2"'
    ),
    "track": Setting(
        "where Weights & Biases records the run: online, offline or off; default: online with a key, else off",
        "track=off",
        ("off", "online", "offline"),
    ),
    "from": Setting("name of the experiment that is copied", "from=exp002"),
    "to": Setting("CSV or JSON Lines file to write", "to=summaries.csv"),
    "base": Setting(
        "model that the adapter was trained on: a name on the Hugging Face hub, or a folder",
        "base=Qwen/Qwen2.5-7B-Instruct",
    ),
    "as": Setting("name of the new run: the experiment, a hyphen and a name", "as=exp012-theirs"),
    "method": Setting("way to make new rows; method=? lists all of them", "method=turn_drop"),
    "n": Setting("number of train rows to start from, a random sample; default: all", "n=200"),
    "name": Setting("name of the folder for the new rows; default: the method", "name=shorter"),
    "pred": Setting("run, or a CSV file with predictions", "pred=exp002"),
    "a": Setting("run or CSV file to compare with", "a=exp002"),
    "b": Setting("run or CSV file that may be better", "b=exp011"),
    "split": Setting("rows to score: dev or test; default dev", "split=test", ("dev", "test")),
    "all": Setting("show every metric, not only the one that the competition is judged by", "all=1", _ON),
    "stemmer": Setting("compute the google profile on Porter stems", "stemmer=1", _ON),
    "from-trial": Setting("run whose settings become defaults; instead of from=", "from-trial=exp002-lr_007"),
    "per-example": Setting("also write the scores of each row to this CSV file", "per-example=rows.csv"),
    "markdown": Setting("print the table as Markdown", "markdown=1", _ON),
    "text": Setting("text of the note; an empty text removes the note", "text=improving"),
    "folder": Setting("run folder to show", "folder=outputs/daily_talk/exp002"),
    "mode": Setting("how W&B runs: online or offline; default online", "mode=offline", ("online", "offline")),
    "texts": Setting("also upload some dev references and predictions", "texts=1", _ON),
    "q": Setting("question to the documentation", "q=top_p"),
    "lib": Setting("library or model on Context7; default: found by the question", "lib=/huggingface/trl"),
    "fresh": Setting("ask again instead of using the stored answer", "fresh=1", _ON),
    "blend": Setting("name of a recipe, submissions/NAME.toml; default: the competition's", "blend=first"),
    "missing": Setting("missing=train trains members that are missing or stale", "missing=train", ("train",)),
    "jobs": Setting("number of members to train at the same time; default 1", "jobs=2"),
    "stale": Setting(
        "stale=ok accepts members whose code, data or settings changed later", "stale=ok", ("ok",)
    ),
    "force": Setting(
        "submit even if dev does not show that the blend is better than its best member", "force=1", _ON
    ),
    "note": Setting("message about the submission, kept in the ledger", "note=wider"),
    "id": Setting("ledger id of a submission, or the start of it", "id=02f002664f"),
    "public": Setting("score on the public leaderboard", "public=37.09"),
    "private": Setting("score on the private leaderboard", "private=36.5"),
    "uploaded": Setting(
        "day of the upload in the site's time zone: today or YYYY-MM-DD", "uploaded=today", ("today",)
    ),
    "dev": Setting(
        "its dev predictions, a CSV or JSON Lines file, which are scored; or a dev score that somebody states",
        "dev=theirs-dev.csv",
    ),
    "shell": Setting(
        "shell that the script is for: bash or zsh; default: your shell", "shell=zsh", ("bash", "zsh")
    ),
    "count": Setting(
        "number of trials with a score to reach; default: run_cap of the sweep file", "count=20"
    ),
    "storage": Setting(
        "where the study is: file, or a PostgreSQL database that several machines share; also KDS_STORAGE in the environment "
        "or in .env",
        "storage=postgresql://db.example.org/sweeps",
    ),
    "top": Setting("number of best trials whose dev summaries are decoded; default 5", "top=3"),
    "weights": Setting(
        "also export the best checkpoint, so that the run can be decoded elsewhere", "weights=1", _ON
    ),
    "html": Setting("write a page for a browser with all runs and submissions", "html=1", _ON),
    "off": Setting("take the mark of the final pick back", "off=1", _ON),
}
OF_TARGET: dict[tuple[str, str], Setting] = {
    ("data", "comp"): Setting("name of a folder in competitions/, which becomes active", "comp=daily_talk"),
    ("use", "comp"): Setting("name of a folder in competitions/, which becomes active", "comp=daily_talk"),
    ("data", "from"): Setting("folder or zip file with the organisers' files", "from=download.zip"),
    ("import", "from"): Setting("file that make export wrote", "from=exp002.zip"),
    ("import", "comp"): Setting("competition of the run, if it is not the active one", "comp=daily_talk"),
    ("new", "exp"): Setting("name of the new experiment: exp and three digits", "exp=exp015"),
    ("sweep", "jobs"): Setting("number of trials at the same time; default 1", "jobs=2"),
    ("sweep", "gpus"): Setting("GPUs for each trial; default: 1 if there are any; 0: reserve none", "gpus=1"),
    ("sweep", "name"): Setting("name of the sweep, and of its runs; default: sweep", "name=lr"),
    ("sweep", "from"): Setting("sweep file; default: sweep.yaml of the experiment", "from=wide.yaml"),
    ("sweep", "stale"): Setting(
        "stale=ok goes on with a sweep although code, data or settings changed since", "stale=ok", ("ok",)
    ),
    ("sweep-report", "name"): Setting("name of the sweep; default: sweep", "name=lr"),
    ("sweep-report", "from"): Setting("sweep file; default: sweep.yaml of the experiment", "from=wide.yaml"),
    ("smoke", "exp"): Setting("the only experiment to run; default: all of them", "exp=exp002"),
    ("train", "run"): Setting("name of a variant, which gets its own folder", "run=exp002-wide"),
    ("infer", "run"): Setting("name of a variant, as it was trained", "run=exp002-wide"),
    ("predict", "from"): Setting("CSV or JSON Lines file with the dialogues to summarize", "from=new.csv"),
    ("predict", "text"): Setting(
        "one dialogue instead of a file; its summary is printed", r'text="#Person1#: hi\n#Person2#: hello"'
    ),
    ("predict", "force"): Setting("replace the file that to= names", "force=1", _ON),
    ("predict", "all"): Setting(
        "also write all candidates of each dialogue, into a .jsonl file", "all=1", _ON
    ),
    ("predict", "args"): Setting("settings of decoding to change, as --name value", "args=--beams=1"),
    ("import-adapter", "from"): Setting(
        "folder that PEFT, TRL, Unsloth or LLaMA-Factory saved the adapter in", "from=downloads/adapter"
    ),
    ("import-adapter", "args"): Setting(
        "settings of the training that the files do not say, as --name value", "args=--max-source-tokens=1024"
    ),
    ("augment", "restart"): Setting("discard earlier rows and begin again", "restart=1", _ON),
    ("augment", "args"): Setting("changed settings of the method, as --name value", "args=--seed=3"),
    ("blend-report", "args"): Setting(
        "options of the report, as --candidates 4 or --recombined 24", "args=--candidates=4"
    ),
    ("faults", "args"): Setting(
        "words of tests.faults: short, again, jobs=N, seed=N, names of families", "args=short"
    ),
    ("gpu-check", "args"): Setting("options of benchmarks/gpu.py, such as --minutes 4", "args=--tiny"),
    ("bench", "args"): Setting(
        "options of benchmarks/bench.py, such as --only rouge --rounds 3", 'args="--only rouge"'
    ),
    ("results", "all"): Setting("show every metric and column", "all=1", _ON),
    ("upload", "id"): Setting(
        "ledger id of the submission, or the start of it; default: the newest one", "id=02f002664f"
    ),
    ("export", "to"): Setting(
        "file to write; default: RUN.zip in outputs/COMPETITION/exported/", "to=exp002.zip"
    ),
    ("import", "as"): Setting("name for the imported run; default: its own name", "as=exp002-theirs"),
    ("validate", "pred"): Setting("CSV in the form of a submission", "pred=submissions/first.csv"),
    ("register", "pred"): Setting("CSV in the form of a submission, made elsewhere", "pred=theirs.csv"),
    ("register", "name"): Setting("name of the submission in the leaderboard", "name=kobart-of-may"),
    ("watch", "run"): Setting("name of a variant; default: the experiment itself", "run=exp002-wide"),
    ("report", "run"): Setting("name of a variant; default: the experiment itself", "run=exp002-wide"),
    ("pick", "id"): Setting("ledger id of the submission to mark, or the start of it", "id=02f002664f"),
}
"""Settings that mean something else for one target."""


@dataclass(frozen=True)
class HelpLine:
    """The comment of a target in the Makefile."""

    target: str
    settings: str
    description: str


def setting(target: str, name: str) -> Setting:
    """Return what a setting means for a target."""
    return OF_TARGET.get((target, name)) or SETTINGS[name]


def read(makefile: str) -> dict[str, HelpLine]:
    """Return target → its help line, in the order of the Makefile."""
    found = {}
    for target, text in re.findall(r"(?m)^([a-z-]+):.*?## (.*)$", makefile):
        description = without_settings(text)
        found[target] = HelpLine(target, text[: len(text) - len(description)].rstrip(": "), description)
    return found


def overview(lines: Mapping[str, HelpLine]) -> str:
    """Return the list of all targets, the main path first: description, and the settings below it."""
    known = {target for group in GROUPS.values() for target in group}
    groups = [(_HEADINGS[name], targets) for name, targets in GROUPS.items()]
    groups.append(("Other commands", tuple(target for target in lines if target not in known)))
    left = max(map(len, lines)) + len("make ") + 4
    parts = []
    for heading, targets in groups:
        rows = [_command(lines[target], left) for target in targets if target in lines]
        if rows:
            parts.append("\n".join([styled(translated(heading), "cyan", bold=True), *rows]))
    hint = (
        "Settings in brackets may be left out. make help TARGET explains the settings of a target, as in make help train; "
        "make completion makes the Tab key complete them."
    )
    parts.append("\n".join(filled(translated(hint).split(), _columns())))
    return "\n\n".join(parts) + "\n"


def details(line: HelpLine, names: Sequence[str], needs: Sequence[str], example: str) -> str:
    """Return what a target does and what each of its settings means, those it needs first, with an example of each."""
    head = " ".join(["make", line.target])
    text = filled(translated(line.description).split(), _columns() - 2)
    parts = ["\n".join([styled(head, bold=True), *("  " + each for each in text)])]
    rows = [
        _explained(line.target, name, needs) for name in sorted(names, key=lambda each: each not in needs)
    ]
    parts.append("\n".join(rows) if rows else translated("It takes no settings."))
    if names:
        shown = f"{head} {example or setting(line.target, names[0]).example}"
        parts.append("\n".join(filled([*translated("For example:").split(), *_words(shown)], _columns())))
    return "\n\n".join(parts) + "\n"


def _explained(target: str, name: str, needs: Sequence[str]) -> str:
    known = setting(target, name)
    left = max(map(len, SETTINGS)) + 4
    columns = _columns() - left
    text = f"required: {known.meaning}" if name in needs else known.meaning
    meaning = filled(translated(text).split(), columns)
    example = filled([*translated("for example:").split(), *_words(known.example)], columns)
    return _beside(f"{name}=", [*meaning, *example], left)


def _command(line: HelpLine, left: int) -> str:
    columns = _columns() - left
    text = filled(translated(line.description).split(), columns)
    settings = (
        [styled(part, "green") for part in filled(_words(line.settings), columns)] if line.settings else []
    )
    return _beside(" ".join(["make", line.target]), [*text, *settings], left)


def _beside(name: str, lines: Sequence[str], left: int) -> str:
    """Return the name and these lines in a column of their own, which begins at `left`."""
    first = f"  {styled(name, bold=True)}{' ' * (left - 2 - len(name))}"
    return "\n".join([first + lines[0], *(" " * left + line for line in lines[1:])])


def _words(text: str) -> list[str]:
    """Return the parts of settings that stay on one line: split at spaces, but not inside quotes or of [missing=train [jobs=2]]."""
    return re.findall(r'(?:\[(?:"[^"]*"|\[[^]]*\]|[^]"[])*\]|"[^"]*"|\S)+', text)


def _columns() -> int:
    return width() or IN_A_PIPE
