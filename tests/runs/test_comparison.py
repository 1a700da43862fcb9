"""Two sets of predictions: joined by id, the rows that one side lacks counted and scored 0."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from common.cli import commands
from common.core.errors import UserError
from common.data.competition_file import load_competition
from common.data.rows import read_references, write_predictions
from common.runs.comparison import compare_predictions, lacking
from common.runs.scoring import score


def test_compare_finds_a_real_difference_and_none_in_a_copy(repository: Path) -> None:
    talk = load_competition("talk")
    references = read_references(talk, "dev")
    good = {name: texts[0] for name, texts in references.items()}
    bad = dict.fromkeys(references, "전혀 다른 말")
    same = compare_predictions(talk, "dev", good, good, ["korouge"])[0]
    assert (same.test.difference, same.test.bootstrap_p, same.test.permutation_p) == (0, 1, 1)
    worse = compare_predictions(talk, "dev", good, bad, None)
    assert [entry.profile for entry in worse] == ["leaderboard", "rouge101", "korouge"]
    assert all(entry.test.difference < 0 and entry.a > entry.b for entry in worse)


def test_a_side_that_lacks_rows_scores_zero_there(repository: Path) -> None:
    talk = load_competition("talk")
    references = read_references(talk, "dev")
    good = {name: texts[0] for name, texts in references.items()}
    first = next(iter(good))
    for less in ({first: good[first]}, {**good, "dev_2": "  "}):
        [found] = compare_predictions(talk, "dev", good, less, ["korouge"])
        assert (
            found.b
            == pytest.approx(found.a / 2)
            == pytest.approx(score(less, references, "korouge").headline)
        )
    assert str(lacking(good, references)) == ""
    assert str(lacking({first: good[first]}, references)) == "1 missing (first 'dev_2')"
    assert str(lacking({"dev_2": " "}, references)) == "1 missing (first 'dev_0') and 1 empty (first 'dev_2')"


def test_ids_of_another_split_are_refused_by_side(repository: Path) -> None:
    talk = load_competition("talk")
    with pytest.raises(
        UserError, match=r"^b: 1 of 2 predicted ids are not in talk dev, first 'test_0'\. .* split="
    ):
        compare_predictions(talk, "dev", {"dev_0": "비"}, {"dev_0": "비", "test_0": "비"}, None)


def test_the_command_says_who_lacks_what_and_who_is_worse(repository: Path) -> None:
    talk = load_competition("talk")
    good = {name: texts[0] for name, texts in read_references(talk, "dev").items()}
    write_predictions(repository / "a.csv", list(good), list(good.values()), talk)
    write_predictions(repository / "b.csv", ["dev_0"], ["# Person1 # 은 \u1100\u1161지 않는다."], talk)

    def invoke(*words: str) -> str:
        result = CliRunner().invoke(
            commands, ["compare", f"--a={repository / 'a.csv'}", *words], catch_exceptions=False
        )
        assert result.exit_code == 0
        return result.output

    text = invoke(f"--b={repository / 'b.csv'}")
    assert "b lacks rows: 1 missing (first 'dev_2'); each of them scores 0 there." in text
    assert "a lacks" not in text
    assert "hint: b: 1 of 1 prediction not in Unicode NFC (first 'dev_0')" in text
    rows = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert rows["leaderboard"].endswith("  worse")
    lines = invoke(f"--b={repository / 'a.csv'}", "--all").splitlines()
    assert sum(line.endswith("  equal") for line in lines) == 3
    [entry] = json.loads(invoke(f"--b={repository / 'b.csv'}", "--profile=korouge", "--json"))
    assert (entry["a_missing"], entry["a_empty"], entry["b_missing"], entry["b_empty"]) == (0, 0, 1, 0)
