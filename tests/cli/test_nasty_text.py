"""Text that would act on a terminal, or fill it, is one printable line in whatever message or table shows it."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from common.core.errors import UserError
from common.data.competition_file import active_competition, load_competition
from common.data.import_files import import_data
from common.data.rows import read_predictions, read_references, read_split, sample_ids, write_predictions
from common.ensemble.recipe import read_recipe
from common.postprocess.report import task
from common.prompts.templates import template
from common.runs import candidates
from common.runs.record import read_record
from common.runs.results import read_results
from common.runs.scoring import report
from common.submission import ledger
from tests.support.commands import make
from tests.support.submitting import submit

NASTY = [
    "\x1b[2J\x1b]0;title\x07",
    "\u202e\u2066abc",
    "a\nerror: b",
    "\x9b31m\x7f",
    "\u3164\u200b",
    "가" * 5000,
    "\x1b" * 9000,
]
"""Clear the screen and set its title, turn the direction, add a line, C1 codes, nothing visible, long, both."""


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def csv_readers(root: Path, nasty: str) -> dict[str, Callable[[], object]]:
    """Return reader → a call that refuses a file with this text in it."""
    talk = load_competition("talk")
    mine = root / "mine.csv"

    def predictions(text: str) -> Callable[[], object]:
        def call() -> object:
            mine.write_text(text, encoding="utf-8")
            return read_predictions(mine, talk)

        return call

    def column(old: str, new: str, kind: str, reader: Callable[[], object]) -> Callable[[], object]:
        def call() -> object:
            path = talk.path(kind)
            before = path.read_bytes()
            try:
                change(path, old, new)
                return reader()
            finally:
                path.write_bytes(before)

        return call

    cell = quoted(nasty)
    return {
        "header": predictions(f"fname,{cell}\n"),
        "many headers": predictions(",".join([cell] * 20_000) + "\n"),
        "duplicate id": predictions(f"fname,summary\n{cell},a\n{cell},a\n"),
        "too many cells": predictions(f"fname,summary\n{cell},a,b\n"),
        "two duplicate columns": predictions(f"{cell},{cell}\n"),
        "duplicate id of dev": column('"dev_0"', f'{cell},"a","b","c"\n{cell}', "dev", lambda: read_split(talk, "dev")),
        "empty cell of dev": column('"dev_0",', f'{cell},"","b","c"\n"x",', "dev", lambda: read_split(talk, "dev")),
        "ids of the solution": column('"test_2"', cell, "solution", lambda: read_references(talk, "test")),
        "ids of the sample": column('"test_2"', cell, "sample", lambda: sample_ids(talk)),
        "index of the sample": column('"0"', cell, "sample", lambda: sample_ids(talk)),
        "unknown prediction": lambda: report(talk, "dev", {nasty: "a"}),
        "written twice": lambda: write_predictions(mine, [nasty, nasty], ["a", "b"], talk),
        "written surrogate": lambda: write_predictions(mine, [nasty], ["\ud800"], talk),
    }  # fmt: skip


def json_readers(root: Path, nasty: str) -> dict[str, Callable[[], object]]:
    talk = load_competition("talk")
    mine = root / "mine.jsonl"

    def lines(*values: object) -> None:
        mine.write_text("".join(json.dumps(value) + "\n" for value in values), encoding="utf-8")

    def rows(*values: object) -> Callable[[], object]:
        return lambda: (lines(*values), read_predictions(mine, talk))

    def text(path: Path, content: str, reader: Callable[[], object]) -> Callable[[], object]:
        def call() -> object:
            before = path.read_bytes() if path.exists() else None
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
            try:
                return reader()
            finally:
                path.unlink() if before is None else path.write_bytes(before)

        return call

    recipe, toml = root / "submissions" / "talk.toml", root / "competitions" / "talk" / "competition.toml"
    good, words = recipe.read_text(encoding="utf-8"), json.dumps(nasty)
    run = root / "outputs" / "talk" / "exp001"
    result = next((root / "results").rglob("*.json"))

    def of_recipe(content: str) -> Callable[[], object]:
        return text(recipe, content, lambda: read_recipe(recipe))

    return {
        "duplicate id": rows({"fname": nasty, "summary": "a"}, {"fname": nasty, "summary": "a"}),
        "a key without summary": rows({"fname": "a", nasty: "a"}),
        "a list": rows([nasty]),
        "candidates": lambda: (lines({"id": nasty}), candidates.read(mine)),
        "no candidate": text(run / "dev" / "candidates.jsonl", json.dumps({"id": nasty, "candidates": []}) + "\n", lambda: task(talk, "exp001")),
        "a result": text(result, json.dumps({nasty: nasty}), lambda: read_results("talk")),
        "a run record": text(run / "run.json", json.dumps(nasty), lambda: read_record(run)),
        "key of a recipe": of_recipe(good + f"{words} = 1\n"),
        "method of a recipe": of_recipe(good.replace('"vote"', words)),
        "competition of a recipe": of_recipe(good.replace('"talk"', words)),
        "run of a recipe": lambda: submit(root, text=good.replace('"exp001"', words)),
        "weight of a recipe": of_recipe(good.replace("1.0", words)),
        "mix of a recipe": of_recipe(good.replace('"vote"', f'"mbr"\nmix = {{ {words} = 1 }}')),
        "utility of a recipe": of_recipe(good.replace('"vote"', f'"mbr"\nutility = {words}')),
        "key of competition.toml": text(toml, toml.read_text(encoding="utf-8") + f"{words} = 1\n", lambda: load_competition("talk")),
        "tag of competition.toml": text(toml, toml.read_text(encoding="utf-8").replace('"#Person2#"', words), lambda: load_competition("talk")),
        "column of competition.toml": text(toml, toml.read_text(encoding="utf-8").replace('"dialogue", "summary", "topic"]', f"{words}]", 1), lambda: load_competition("talk")),
        "active competition": text(root / ".active-competition", nasty, active_competition),
        "a name": lambda: load_competition(nasty),
        "an id of the ledger": lambda: ledger.record_scores(nasty, 1.0, None, "now"),
        "a template": lambda: template(root / nasty[:40], 0),
    }  # fmt: skip


@pytest.mark.parametrize("nasty", NASTY, ids=range(len(NASTY)))
def test_every_reader_refuses_in_one_short_printable_line(repository: Path, nasty: str) -> None:
    (repository / "submissions" / "ledger.jsonl").write_text(
        json.dumps({"id": "ab12", "time": "now", "competition": "talk"}) + "\n", encoding="utf-8"
    )
    for name, call in (csv_readers(repository, nasty) | json_readers(repository, nasty)).items():
        with pytest.raises(UserError) as caught:
            call()
        message = str(caught.value)
        assert message.isprintable(), (name, message)
        assert 20 < len(message) < 500, (name, len(message), message)


@pytest.mark.parametrize("nasty", NASTY[:4], ids=range(4))
def test_names_inside_an_archive(repository: Path, nasty: str) -> None:
    talk, path = load_competition("talk"), repository / "x.zip"
    for names in ([f"../{nasty}"], [f"{nasty}{number}/{nasty}" for number in range(40)], [f"{n}/dev.csv" for n in (nasty, "b", "c")]):  # fmt: skip
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, "x")
        with pytest.raises(UserError) as caught:
            import_data(talk, path)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 500


def test_warnings_and_tables_show_ids_as_escapes(repository: Path) -> None:
    """An id with an escape sequence is allowed; the report of make data and the tables show it."""
    nasty, talk = "\x1b[31mtrain\u202e", load_competition("talk")
    source = repository / "given"
    source.mkdir()
    for spec in talk.files.values():
        (source / Path(spec.path).name).write_bytes((talk.folder / spec.path).read_bytes())
    change(source / "train.csv", '"train_0","#Person1#', f'"{nasty}","#Foo# #Person1#')
    change(source / "dev.csv", '"dev_0"', quoted("\x1b[32mdev\na"))
    shown = [make(repository, "data", "comp=talk", f"from={source}"), make(repository, "leaks", "comp=talk")]
    for ended in shown:
        assert ended.returncode == 0, ended
        assert all(line.isprintable() for line in ended.stdout.splitlines())
    assert "unknown tag: #Foo# in \\x1b[31mtrain\\u202e" in shown[0].stdout
    recorded = json.loads((repository / "results" / "talk" / "exp001.json").read_text(encoding="utf-8"))
    (repository / "results" / "talk" / "exp001.json").write_text(json.dumps({**recorded, "model": nasty}))
    table = make(repository, "results", "comp=talk")
    assert "\\x1b[31mtrain\\u202e" in table.stdout, table
    assert "\x1b" not in table.stdout


def test_a_home_folder_is_found(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell does not expand the "~" of from=~/folder, nor one inside quotes."""
    monkeypatch.setenv("HOME", str(repository / "competitions" / "talk"))
    given = make(repository, "data", "comp=talk", "from=~/data")
    assert given.returncode == 0, given
    monkeypatch.setenv("HOME", str(repository / "outputs" / "talk"))
    for words in (
        ("score", "pred=~/exp001/dev/predictions.csv"),
        ("compare", "a=~/exp001/dev/predictions.csv", "b=~/exp002/dev/predictions.csv"),
    ):
        ended = make(repository, *words)
        assert ended.returncode == 0, ended
        assert "outputs/talk/exp001/dev/predictions.csv" in ended.stdout
    home = make(repository, "score", "pred=~")
    assert "cannot be read (it is a folder, wanted a file)" in home.stderr
    nobody = make(repository, "score", "pred=~nobody-of-this-name/x")
    assert "'~nobody-of-this-name/x': there is no such user; write the whole path." in nobody.stderr
