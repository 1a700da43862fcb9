"""List the targets of the Makefile, and the settings that each takes. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """The settings of one target of the Makefile."""

    takes: str = ""
    """Names of the settings that become options, in their order on the command line."""
    needs: str = ""
    """Names of the settings that must be given."""
    example: str = ""
    """Settings that work; shown when one is missing."""
    argument: str = ""
    """Name of the setting that is the command's argument; "" when the command takes none."""
    before: str = ""
    """Names of the settings of `python -m common` itself, when the other options belong to the experiment."""
    module: str = "common"
    """The module that runs; another one gets no name of a target."""
    choices: str = ""
    """The values of the setting that must be given, when a few words say all of them."""
    private: str = ""
    """Names of the settings that may hold a password: the command reads them from KDS_ and the name in capitals, because
    everyone on the machine can see the command lines of processes."""


_STAGE = Target("comp run track restart smoke args", "exp", "exp=exp002", "exp", "gpus nodes")
_WAYS = "paraphrase, back_translation, speaker_swap, turn_drop, sentence_drop"
TARGETS: dict[str, Target] = {
    "help": Target(),
    "setup": Target(),
    "doctor": Target("comp"),
    "demo": Target(),
    "data": Target("comp from", "comp from", "comp=dialogue_summarization from=PATH"),
    "leaks": Target("comp"),
    "stats": Target("comp"),
    "use": Target("comp", "comp", "comp=daily_talk"),
    "list": Target("comp"),
    "settings": Target("run comp method", "", "exp=exp002", "exp"),
    "results": Target("comp all markdown"),
    "runs": Target("comp"),
    "note": Target("run text comp", "run text", 'run=exp002 text="wider; still improving at the end"'),
    "archive": Target("run comp", "run", "run=exp002"),
    "restore": Target("run comp", "run", "run=exp002"),
    "export": Target("run to weights comp", "run", "run=exp002"),
    "import": Target("from as comp", "from", "from=exp002.zip"),
    "train": _STAGE,
    "infer": _STAGE,
    "watch": Target("run comp", "exp", "exp=exp002", "exp"),
    "predict": Target(
        "args", "run", "run=exp002 from=new.csv to=summaries.csv", "run", "comp from to text force all gpus"
    ),
    "merge": Target("comp", "run", "run=exp010", "run"),
    "import-adapter": Target(
        "args",
        "from base as",
        "from=FOLDER base=Qwen/Qwen2.5-7B-Instruct as=exp012-theirs",
        "as",
        "comp from base",
    ),
    "augment": Target("method comp n name restart args", "method", "method=turn_drop n=200", choices=_WAYS),
    "sweep": Target(
        "count jobs gpus name from track stale comp", "exp", "exp=exp002 count=20", "exp", private="storage"
    ),
    "sweep-report": Target("name top from comp", "exp", "exp=exp002", "exp", private="storage"),
    "smoke": Target("", "", "exp=exp002", "exp"),
    "new": Target("from from-trial comp", "exp", "exp=exp015 from=exp002", "exp"),
    "track": Target("mode texts", "folder", "folder=outputs/daily_talk/exp002", "folder"),
    "docs": Target("q lib fresh", "q", 'q="Qwen2.5 generation config"'),
    "score": Target("pred split comp all stemmer per-example", "pred", "pred=exp002 split=dev"),
    "compare": Target("a b split comp all stemmer", "a b", "a=exp002 b=exp011"),
    "submit": Target("comp blend missing jobs stale force note all"),
    "blend-report": Target("comp blend args"),
    "postprocess": Target("run comp all", "run", "run=exp002"),
    "validate": Target("pred comp", "pred", "pred=submissions/first.csv"),
    "register": Target(
        "pred name comp public private dev note",
        "pred name",
        "pred=theirs.csv name=kobart-of-may public=45.1",
    ),
    "leaderboard": Target("comp all html"),
    "report": Target("run comp", "exp", "exp=exp002", "exp"),
    "upload": Target("id comp"),
    "lb": Target("id public private uploaded comp", "id", "id=ID public=71.5"),
    "pick": Target("id off comp"),
    "reproduce": Target("id comp", "id", "id=ID"),
    "test": Target(),
    "faults": Target("args", module="tests.faults"),
    "gpu-check": Target("args", module="benchmarks.gpu"),
    "bench": Target("args", module="benchmarks.bench"),
    "audit": Target(),
    "check": Target(),
    "messages": Target(),
    "completion": Target("shell"),
    "format": Target(),
}
SWITCHES = (
    "restart",
    "smoke",
    "markdown",
    "texts",
    "fresh",
    "force",
    "stemmer",
    "all",
    "off",
    "weights",
    "html",
)
OPTIONS = {"comp": "competition", "pred": "predictions", "n": "parents", "q": "query", "lib": "library"}
"""Setting → the option of `python -m common` that it becomes, where the two have different names."""
