"""A small repository for tests: one invented competition and two real, torch-free experiments, run for real."""

import json
import runpy
import shutil
import sys
from pathlib import Path

import pytest

TOML = """
title = "Talk"
language = "ko"
licence = "CC0-1.0"
obtain = "make data comp=talk from=PATH"
[files.train]
path = "data/train.csv"
columns = ["fname", "dialogue", "summary", "topic"]
[files.dev]
path = "data/dev.csv"
columns = ["fname", "dialogue", "summary", "topic"]
[files.test]
path = "data/test.csv"
columns = ["fname", "dialogue"]
[files.sample]
path = "data/sample_submission.csv"
columns = ["", "fname", "summary"]
[files.solution]
path = "data/solution.csv"
columns = ["fname", "summary1", "summary2"]
[columns]
id = "fname"
dialogue = "dialogue"
summary = "summary"
topic = "topic"
references = ["summary1", "summary2"]
[tags]
speakers = ["#Person1#", "#Person2#"]
[submission]
columns = ["", "fname", "summary"]
index = ""
id = "fname"
summary = "summary"
max_characters = 60
[metric]
dev_profile = "leaderboard"
leaderboard_profile = "leaderboard"
leaderboard_references = "mean"
goals = [70, 75, 78, 80]
goals_metric = "rouge_sum"
[rules]
text = []
"""
TALKS = [
    ("우산 가져왔어?", "아니, 버스에 두고 내렸어.", "#Person2#는 우산을 버스에 두고 내렸다."),
    ("김치찌개 먹을까요?", "저는 비빔밥이 좋겠어요.", "#Person2#는 비빔밥을 먹고 싶어 한다."),
    ("회의가 몇 시였죠?", "세 시로 미뤄졌습니다.", "회의가 세 시로 미뤄졌다고 #Person2#가 알린다."),
    ("강아지 산책시켰니?", "숙제하고 나서 할게.", "#Person2#는 숙제를 한 뒤 강아지를 산책시키기로 한다."),
]
IDS = {
    "train": ["train_0", "train_1", "train_5"],
    "dev": ["dev_0", "dev_2"],
    "test": ["test_0", "test_2", "test_10"],
}
# Not the order of the test file, nor of a sorted list: only the sample's order is right in a submission.
SAMPLE = ["test_2", "test_10", "test_0"]
CONFIG = '''"""{name}'s settings."""

from dataclasses import dataclass

from common.postprocess.rules import PostprocessConfig

TITLE = "{name} of the tests"
MODEL = "none"
NEEDS = "cpu"


@dataclass(frozen=True)
class Config:
    seed: int = 1
    turn: int = {turn}
    postprocess: PostprocessConfig = PostprocessConfig()
'''
TRAIN = '''"""{name}, train."""

from common.core import verified_folder
from common.core.files import write_json
from common.runs import Run, main
from experiments.{name}.config import Config


def train(run: Run[Config]) -> None:
    rows = len(run.split("train").rows)
    verified_folder.save(run.folder / "best", lambda folder: write_json(folder / "m.json", [run.config.turn, rows]))
    run.finish()


if __name__ == "__main__":
    main("train", __file__, Config(), Config(), train)
'''
INFER = '''"""{name}, infer."""

from common.core import files
from common.data import rows
from common.postprocess import predictions
from common.runs import Run, candidates, main
from common.runs.candidates import Candidate
from experiments.{name}.config import Config


def infer(run: Run[Config]) -> None:
    turn, _ = files.read_json(run.folder / "best" / "m.json")
    given = files.root() / "texts.json"  # a test's own texts by id, as they are
    own = files.read_json(given) if given.exists() else {{}}
    made = []
    for split in run.splits:
        texts = {{}}
        for row in run.split(split).rows:
            turns = [line.partition(": ")[2] for line in row.dialogue.split("\\n")]
            texts[row.id] = own.get(row.id, f"#Person{{turn + 1}}#: {{turns[turn]}}")
        path = run.folder / split / "candidates.jsonl"
        candidates.write(path, {{n: [Candidate(t, -1.0, 3), Candidate("또 " + t, None, 4)] for n, t in texts.items()}})
        made += [path, run.folder / split / "predictions.csv"]
        rows.write_predictions(made[-1], list(texts), list(texts.values()), run.competition)
    predictions.finish(run, made)


if __name__ == "__main__":
    main("infer", __file__, Config(), Config(), infer)
'''
RECIPE = """competition = "talk"
method = "vote"
members = [{ run = "exp001", weight = 1.0 }, { run = "exp002", weight = 2.0 }]
"""


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _csv(path: Path, header: str, rows: list[list[str]]) -> None:
    lines = [header, *(",".join(map(_cell, row)) for row in rows)]
    path.write_bytes(("\n".join(lines) + "\n").encode())


def build(root: Path) -> None:
    """Write data, experiments and a recipe under `root`, without training anything."""
    data = root / "competitions" / "talk" / "data"
    data.mkdir(parents=True)
    (data.parent / "competition.toml").write_text(TOML, encoding="utf-8")
    (root / ".active-competition").write_text("talk\n", encoding="utf-8")
    for split, ids in IDS.items():
        talks = [(name, *TALKS[i % 4]) for i, name in enumerate(ids, start=len(split))]
        cells = [
            [name, f"#Person1#: {a}\n#Person2#: {b}", *([] if split == "test" else [summary, "일상"])]
            for name, a, b, summary in talks
        ]
        _csv(data / f"{split}.csv", "fname,dialogue" + ("" if split == "test" else ",summary,topic"), cells)
    _csv(data / "sample_submission.csv", ",fname,summary", [[str(i), n, ""] for i, n in enumerate(SAMPLE)])
    _csv(data / "solution.csv", "fname,summary1,summary2", [[n, TALKS[0][2], TALKS[1][2]] for n in SAMPLE])
    for number, name in enumerate(("exp001", "exp002")):
        folder = root / "experiments" / name
        folder.mkdir(parents=True)
        (folder / "__init__.py").touch()
        (folder / "README.md").write_text(f"# {name}\n", encoding="utf-8")
        for file, text in (("config", CONFIG), ("train", TRAIN), ("infer", INFER)):
            (folder / f"{file}.py").write_text(text.format(name=name, turn=number), encoding="utf-8")
    (root / "experiments" / "__init__.py").touch()
    (root / "submissions").mkdir()
    (root / "submissions" / "talk.toml").write_text(RECIPE, encoding="utf-8")


def stage(root: Path, experiment: str, name: str, *arguments: str) -> None:
    """Run `python -m experiments.EXPERIMENT.NAME ARGUMENTS` inside this process. SystemExit when it fails."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDS_ROOT", str(root))
        patch.syspath_prepend(str(root))
        patch.setattr(sys, "dont_write_bytecode", True)
        file = root / "experiments" / experiment / f"{name}.py"
        patch.setattr(sys, "argv", [str(file), *arguments])
        _forget(file)
        try:
            runpy.run_path(str(file), run_name="__main__")
        finally:
            _forget(file)


def _forget(file: Path) -> None:
    """Remove the experiments' modules, and other names of the module that ran (multiprocessing's is __mp_main__)."""
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] == "experiments" or getattr(module, "__file__", None) == str(file):
            del sys.modules[name]


def copy(template: Path, root: Path) -> Path:
    """Return a copy that may be changed; run records contain relative paths, so the copy's runs are not stale."""
    shutil.copytree(template, root)
    return root


def infer_texts(root: Path, experiment: str, texts: dict[str, str]) -> None:
    """Infer again, with the given texts by id in place of the experiment's own."""
    (root / "texts.json").write_text(json.dumps(texts), encoding="utf-8")
    stage(root, experiment, "infer")
