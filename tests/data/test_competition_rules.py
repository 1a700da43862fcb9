"""Rules of a competition: forbidden sources are recognised by name and refused before anything is touched."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.core import files
from common.core.errors import UserError
from common.data.competition_file import load_competition
from common.data.competition_rules import forbidden_source_in, models_of, nearest, require_allowed
from tests.support import repository as repositories
from tests.support.rules import SOURCES, forbid, refused, with_model

# --- names


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("someone/bart-large-dialogsum", "DialogSum"),
        ("someone/Dialog_Sum-ko", "DialogSum"),
        ("DIALOG.SUM/bart", "DialogSum"),
        ("/models/kodialogsum2/best", "DialogSum"),
        ("outputs/dialogsum_en/exp003/best", "dialogsum_en"),
        ("C:\\models\\dialog-sum", "DialogSum"),
        ("someone/dialog-summarization", None),
        ("someone/DialogSummarizer", None),
        ("my-dialog/sum-model", None),
        ("digit82/kobart-summarization", None),
        ("competitions/dialogue_summarization/data/train.csv", None),
        ("", None),
    ],
)
def test_a_name_holds_a_source_or_not(name: str, source: str | None) -> None:
    assert forbidden_source_in(name, SOURCES) == source


@given(
    st.lists(
        st.tuples(st.sampled_from(["", "-", "_", ".", " ", "--"]), st.booleans()), min_size=9, max_size=9
    ),
    st.text("abkoz019-_.", max_size=8),
    st.text("abkoz019-_.", max_size=8),
)
def test_neither_case_nor_punctuation_hides_a_source(
    spelling: list[tuple[str, bool]], before: str, after: str
) -> None:
    letters = zip("dialogsum", spelling, strict=True)
    name = "".join(mark + (letter.upper() if upper else letter) for letter, (mark, upper) in letters)
    assert forbidden_source_in(f"team/{before}{name}{after}", SOURCES[1:]) == "DialogSum"
    assert forbidden_source_in(f"team/{before}{name[:-1]}/{name[-1]}{after}", SOURCES[1:]) is None


def test_only_settings_that_name_a_model_are_looked_at() -> None:
    settings = {
        "model": "a/b",
        "base.model": "c/d",
        "llm.model": "e",
        "model.width": 64,
        "x.model": "",
        "name": "f",
    }
    assert models_of(settings) == {"model": "a/b", "base.model": "c/d", "llm.model": "e"}


def test_a_repository_in_a_folder_of_that_name_is_no_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "dialogsum-contest"
    repositories.build(root)
    monkeypatch.setenv("KDS_ROOT", str(root))
    chosen = replace(load_competition("talk"), forbidden_sources=SOURCES)
    require_allowed(chosen, "here", {"base.model": str(root / "models" / "kobart")}, {})
    with pytest.raises(UserError, match=r"here: --base.model .*talk forbids DialogSum .*forbidden_sources"):
        require_allowed(chosen, "here", {"base.model": str(tmp_path / "dialogsum-kobart")}, {})


# --- experiments


def test_a_forbidden_name_is_refused_before_anything_is_touched(repository: Path) -> None:
    forbid(repository, *SOURCES)
    with_model(repository)
    record = (repository / "outputs/talk/exp001/run.json").read_bytes()
    said = refused(repository, "train", "--model=someone/bart-dialog-sum", "--restart")
    assert "exp001 on talk: --model someone/bart-dialog-sum, and talk forbids DialogSum" in said
    assert "competitions/talk/competition.toml, [rules] forbidden_sources" in said
    assert (repository / "outputs/talk/exp001/run.json").read_bytes() == record
    assert not (repository / "outputs/talk/replaced").exists()


def test_a_model_of_another_competition_is_refused() -> None:
    chosen = load_competition("daily_talk")
    require_allowed(chosen, "here", {"base.model": "outputs/daily_talk/merged/exp010"}, {})
    for name in ("outputs/talk/merged/exp010", str(files.root() / "outputs" / "talk" / "exp003" / "best")):
        with pytest.raises(
            UserError, match=r"^here: --base\.model .* was trained on rows of talk, and an entry"
        ):
            require_allowed(chosen, "here", {"base.model": name}, {})


def test_a_path_names_its_competition_in_any_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = load_competition("daily_talk")
    root, disk = tmp_path / "repository", tmp_path / "disk"
    (disk / "talk" / "merged" / "exp010").mkdir(parents=True)
    root.mkdir()
    (root / "outputs").symlink_to(disk)
    (root / "mine").symlink_to("outputs/talk/merged/exp010")
    monkeypatch.setenv("KDS_ROOT", str(root))
    for name in ("./outputs/talk/merged/exp010", "outputs/daily_talk/../talk/merged/exp010", "mine",
                 f"{root}/outputs/talk/merged/exp010", f"{disk}/talk/merged/exp010"):  # fmt: skip
        with pytest.raises(UserError, match=r"^here: --base\.model .* was trained on rows of talk, and an"):
            require_allowed(chosen, "here", {"base.model": name}, {})
    for name in (
        "outputs/daily_talk/merged/exp010",
        f"{root}/outputs/daily_talk/x",
        "owner/name",
        "tiny:bart",
    ):
        require_allowed(chosen, "here", {"base.model": name}, {})


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("dialog", "dialogue_summarization"),
        ("dialogsum", "dialogsum_en"),  # nothing else begins like this
        ("dialogue_sumarization", "dialogue_summarization"),
        ("daily", "daily_talk"),
        ("", None),
        ("zzz", None),
    ],
)
def test_forbidden_data_is_the_last_that_a_mistyped_name_can_mean(typed: str, meant: str | None) -> None:
    names = ["daily_talk", "dialogsum_en", "dialogue_summarization"]
    assert nearest(typed, names, load_competition) == meant
