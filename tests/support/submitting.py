"""Write recipes and submit in the repository made for a test."""

from pathlib import Path

import pytest

from common.core.errors import UserError
from common.data.competition_file import load_competition
from common.ensemble.recipe import Recipe, read_recipe
from common.submission.submit import Submitted, submit_blend

RUN = "outputs/talk/exp001"


def recipe(repository: Path, text: str | None = None) -> Recipe:
    path = repository / "submissions" / "talk.toml"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    return read_recipe(path)


def submit(
    repository: Path,
    *,
    missing: str = "stop",
    allow_stale: bool = False,
    text: str | None = None,
    force: bool = True,  # two dev rows show nothing
) -> Submitted:
    return submit_blend(
        recipe(repository, text), load_competition("talk"), missing, allow_stale=allow_stale, force=force
    )


def state(repository: Path) -> dict[str, bytes]:
    """Return the content of submissions/ without locks."""
    folder = repository / "submissions"
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file() and p.suffix != ".lock"}


def refused(repository: Path, *parts: str, **options: object) -> str:
    """Return the error message of a submit, which must change nothing."""
    before = state(repository)
    with pytest.raises(UserError) as caught:
        submit(repository, **options)  # type: ignore[arg-type]
    for part in parts:
        assert part in str(caught.value)
    assert state(repository) == before
    return str(caught.value)


def solo(method: str = "vote", more: str = "") -> str:
    return f'competition = "talk"\nmethod = "{method}"\n{more}\nmembers = [{{ run = "exp001" }}]\n'


def lines_of(path: Path) -> list[str]:
    """Return the lines of a CSV file with their line ends."""
    return path.read_text(encoding="utf-8").splitlines(keepends=True)
