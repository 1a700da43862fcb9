import json
import shutil
from pathlib import Path

import pytest

from common.core.files import read_json
from common.data.competition_file import load_competition
from common.data.rows import read_split
from common.ensemble import blend
from common.page.blended import blend_texts
from common.submission.candidates import member_candidates
from tests.support import REPOSITORY, page_texts
from tests.support.submitting import recipe

RECIPE = """competition = "talk"
method = "{method}"
members = [{{ run = "exp001" }}, {{ run = "exp002" }}, {{ run = "exp003" }}]
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with the competition "talk", 30 dialogues, three runs and no recipe."""
    monkeypatch.setenv("KDS_ROOT", str(tmp_path))
    folders = page_texts.build(tmp_path, 3, page_texts.talks(30), others=2)
    for folder in folders:
        shutil.copytree(folder / "dev", folder / "test")
    (tmp_path / "submissions").mkdir()
    return tmp_path


def _texts(gaps: list[str]) -> dict[str, dict[str, str]]:
    return blend_texts(load_competition("talk"), "dev", lambda name, why: gaps.append(f"{name}: {why}"))


@pytest.mark.parametrize("method", ["vote", "mbr", "stack"])
def test_dev_texts_are_those_of_a_submission(root: Path, method: str) -> None:
    made = recipe(root, RECIPE.format(method=method))
    competition = load_competition("talk")
    members = member_candidates(made, competition, "dev")
    gaps: list[str] = []
    found = _texts(gaps)
    assert gaps == []
    names = [row.id for row in read_split(competition, "test").rows]
    test = {run: dict(zip(names, groups.values(), strict=False)) for run, groups in members.items()}
    assert found == {"talk": dict(blend.blend(made, competition, members, test).dev)}


def test_a_record_that_does_not_say_its_rules_is_a_gap(root: Path) -> None:
    recipe(root, RECIPE.format(method="mbr"))
    path = root / "outputs/talk/exp001/run.json"
    record = read_json(path)
    del record["infer"]["config"]["postprocess.rules"]
    path.write_text(json.dumps(record), encoding="utf-8")
    gaps: list[str] = []
    assert _texts(gaps) == {}
    assert len(gaps) == 1
    assert (
        "exp001/run.json: the record of inference has no usable postprocess.rules; infer exp001 again."
        in gaps[0]
    )


def test_they_are_kept_until_a_member_changes(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe(root, RECIPE.format(method="vote"))
    first = _texts([])
    with monkeypatch.context() as patch:
        patch.setattr(blend, "blend_on_dev", None)  # would fail
        assert _texts([]) == first
    [kept] = (root / ".cache" / "blends").iterdir()
    kept.write_text("{", encoding="utf-8")
    assert _texts([]) == first
    path = root / "outputs/talk/exp001/dev/predictions.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("#Person1#", "#Person3#"), encoding="utf-8")
    _texts([])
    assert len(list((root / ".cache" / "blends").iterdir())) == 2


def test_a_blend_that_cannot_be_made_is_a_gap(root: Path) -> None:
    recipe(root, RECIPE.format(method="vote"))
    (root / "submissions" / "broken.toml").write_text("competition = ", encoding="utf-8")
    shutil.copytree(REPOSITORY / "competitions" / "dialogsum_en", root / "competitions" / "dialogsum_en")
    (root / "submissions" / "other.toml").write_text(
        RECIPE.format(method="vote").replace('"talk"', '"dialogsum_en"'), encoding="utf-8"
    )
    (root / "submissions" / "early.toml").write_text(
        RECIPE.format(method="vote").replace("exp003", "exp004"), encoding="utf-8"
    )
    gaps: list[str] = []
    assert list(_texts(gaps)) == ["talk"]
    assert len(gaps) == 2
    assert gaps[0].startswith("broken: submissions/broken.toml")
    assert gaps[1] == "early: early.toml: exp004 has no dev predictions."


def test_a_recipe_with_the_name_of_a_run(root: Path) -> None:
    (root / "submissions" / "exp001.toml").write_text(RECIPE.format(method="vote"), encoding="utf-8")
    assert list(_texts([])) == ["exp001 (blend)"]


def test_texts_of_test_come_from_the_csv(root: Path) -> None:
    recipe(root, RECIPE.format(method="vote"))
    competition = load_competition("talk")
    assert blend_texts(competition, "test", lambda name, why: None) == {}
    (root / "submissions" / "talk.csv").write_text(
        ",fname,summary\n0,test_0,가\n1,test_1,나\n", encoding="utf-8"
    )
    found = blend_texts(competition, "test", lambda name, why: None)
    assert found == {"talk": {"test_0": "가", "test_1": "나"}}
