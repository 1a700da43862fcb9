"""make stats: tables of at most 80 columns, JSON with all numbers, a chart, and token limits by recipe or by run."""

import json
import unicodedata
from pathlib import Path

import pytest
from click.testing import CliRunner
from tokenizers import Tokenizer, models, pre_tokenizers

from common.cli import commands
from common.core.errors import UserError

CONFIG = '''"""Settings."""
TITLE, MODEL, NEEDS = "t", "m", "cpu"
TITLE = "t"
class Config:
    lengths = LengthConfig(max_source_tokens={source})
    decoding = DecodingConfig(candidates=1{output})
SMOKE = Config(decoding=DecodingConfig(max_new_tokens=1))
'''


def invoke(*words: str) -> str:
    result = CliRunner().invoke(commands, ["stats", "--competition=talk", *words], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def recipe(repository: Path, name: str, source: int, output: str = "") -> None:
    path = repository / "experiments" / name / "config.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(CONFIG.format(source=source, output=output), encoding="utf-8")


def columns(line: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in line)


def test_tables_json_and_chart(repository: Path) -> None:
    recipe(repository, "exp101", 16, ", max_new_tokens=12")
    recipe(repository, "exp102", 16, ", max_new_tokens=12")
    recipe(repository, "exp103", 1024)
    found = json.loads(invoke("--json"))
    assert [(one["name"], one["rows"], one["references"]) for one in found["splits"]] == [
        ("train", 3, [1, 1]), ("dev", 2, [1, 1]), ("test", 3, [2, 2]),
    ]  # fmt: skip
    assert found["splits"][2]["lengths"][-1]["measure"] == "speakers"  # the answers of test are only counted
    limits = {tuple(one["experiments"]): one for one in found["budgets"]}
    assert set(limits) == {("exp101", "exp102"), ("exp103",)}
    assert limits["exp103",]["summary_tokens"] == 128  # the default of DecodingConfig
    assert limits["exp103",]["dialogues_over"] == {"train": 0, "dev": 0, "test": 0}
    small = limits["exp101", "exp102"]
    assert small["tokenizer"] == "" and small["dialogues_over"] == {"train": 3, "dev": 2, "test": 3}
    overlaps = {(one["first"], one["second"]): one["near"] for one in found["leaks"]["overlaps"]}
    assert overlaps["train", "dev"] == 1
    assert (repository / "outputs/talk/stats.png").read_bytes().startswith(b"\x89PNG")
    text = invoke()
    tables, shift, _ = text.partition("\nShift:")  # a terminal breaks the remarks at its own width
    assert shift and max(map(columns, tables.splitlines())) <= 80
    assert (
        "101, 102" in text
        and "estimate" in text
        and 'Rows with "estimate" assume 2 characters a token' in text
    )
    assert "Chart: outputs/talk/stats.png" in text


def test_a_trained_run_counts_with_its_own_tokenizer_and_limits(repository: Path) -> None:
    recipe(repository, "exp101", 16)
    folder = repository / "outputs/talk/exp101"
    (folder / "best").mkdir(parents=True)
    words = Tokenizer(models.WordLevel({"?": 0}, unk_token="?"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    words.save(str(folder / "best" / "tokenizer.json"))
    stage = {
        "status": "running",
        "config": {"lengths.max_source_tokens": 5, "decoding.max_new_tokens": 5},
        "data": {},
        "code": {},
        "notes": {},
    }
    (folder / "run.json").write_text(json.dumps({"train": stage}), encoding="utf-8")
    found = json.loads(invoke("--json"))
    limits = {tuple(one["experiments"]): one for one in found["budgets"]}["exp101",]
    assert (limits["source_tokens"], limits["summary_tokens"]) == (5, 5)
    assert limits["tokenizer"] == "outputs/talk/exp101/best/tokenizer.json"
    over: dict[str, int] = {}
    for name in ("train", "dev", "test"):
        rows = (repository / f"competitions/talk/data/{name}.csv").read_text(encoding="utf-8").split('"\n"')
        talks = [row.split('","')[1] for row in rows]
        over[name] = sum(len(one.strip('"\n').split()) > 5 for one in talks)
    assert limits["dialogues_over"] == over and sum(over.values()) > 0
    (folder / "best" / "tokenizer.json").write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match=r"best/tokenizer.json: not a tokenizer; .*restart=1"):
        invoke()
