"""A merged model is recognized in every form of its path; the end of the path is refused with the form that is wanted."""

from pathlib import Path

import pytest

from common.core.config import override
from common.core.errors import UserError
from common.models.config import PretrainedConfig
from common.models.hub import require_id
from common.models.known import require_findable
from common.models.merged_models import merged_run

MERGED = "outputs/talk/merged/exp012-b"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one merged model, and links to it and to outputs/."""
    root = tmp_path / "repository"
    (tmp_path / "disk" / "talk" / "merged" / "exp012-b").mkdir(parents=True)
    root.mkdir()
    (root / "outputs").symlink_to(tmp_path / "disk")
    (root / "mine").symlink_to(MERGED)
    (root / "loop").symlink_to("loop")
    monkeypatch.setenv("KDS_ROOT", str(root))
    monkeypatch.setenv("HOME", str(tmp_path))
    return root


@pytest.mark.parametrize(
    "name",
    [MERGED, f"{MERGED}/", f"./{MERGED}", f"{MERGED}/.", "outputs/talk/../talk/merged/exp012-b", "mine", "mine/",
     "../repository/outputs/talk/merged/exp012-b", "~/repository/outputs/talk/merged/exp012-b", "{root}/" + MERGED,
     "{root}/mine", "../disk/talk/merged/exp012-b"],
)  # fmt: skip
def test_every_form_of_the_path_is_the_merged_model(root: Path, name: str) -> None:
    name = name.format(root=root)
    assert merged_run(name) == "exp012-b"
    before = PretrainedConfig(quantization="nf4")
    assert override(before, [f"--model={name}"])[0].quantization == "none"
    assert override(before, [f"--model={name}", "--quantization=nf4"])[0].quantization == "nf4"


@pytest.mark.parametrize(
    "name", ["", " ", "owner/name", "merged/large", "exp012-b", "outputs/talk/exp012-b/best", "tiny:qwen2", "loop", "a\0b"]
)  # fmt: skip
def test_other_names_are_no_merged_model(root: Path, name: str) -> None:
    assert merged_run(name) == ""
    assert PretrainedConfig(model=name, quantization="nf4").implied() == {}


@pytest.mark.parametrize(
    "name", ["merged/exp012-b", "talk/merged/exp012-b", "./merged/exp012-b", "merged/exp012-b/"]
)
def test_the_end_of_the_path_is_refused_with_the_whole_one(root: Path, name: str) -> None:
    said = (
        f"model '{name}': wanted the path from the repository's folder, outputs/COMPETITION/merged/exp012-b; "
        "there is outputs/talk/merged/exp012-b."
    )
    for refuse in (lambda: override(PretrainedConfig(), [f"--model={name}"]), lambda: require_id(name)):
        with pytest.raises(UserError) as refusal:
            refuse()
        assert str(refusal.value) == said


def test_the_end_of_a_path_that_does_not_exist_says_how_to_make_it(root: Path) -> None:
    with pytest.raises(UserError, match=r"does not exist yet; train exp010, .* with: make merge run=exp010$"):
        override(PretrainedConfig(), ["--model=merged/exp010"])


def test_a_folder_of_that_name_is_used(root: Path) -> None:
    (root / "merged" / "exp012").mkdir(parents=True)
    assert override(PretrainedConfig(quantization="nf4"), ["--model=merged/exp012"])[0].quantization == "none"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "./outputs/talk/merged/exp010",
            r"does not exist yet; train exp010, .* make merge run=exp010 comp=talk\.$",
        ),
        ("/elsewhere/merged/exp010", r"no such folder; make merge writes outputs/COMPETITION/merged/RUN in"),
        (
            "outputs/talk/merged/latest",
            r"no such folder; make merge writes outputs/COMPETITION/merged/RUN in",
        ),
    ],
)
def test_a_path_that_does_not_exist_is_refused(root: Path, name: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        require_findable(name)
