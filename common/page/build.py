"""Write the page of a competition, and the report on one run, as HTML files."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from common.core.errors import UserError
from common.core.files import write_text
from common.core.messages import brief, listed
from common.core.paths import outputs, run_folder
from common.core.progress import waiting
from common.data.competition import Competition
from common.page import examples
from common.page.blended import blend_texts
from common.page.content import Content
from common.page.document import document
from common.page.gather import gather
from common.page.run_rows import folder_of
from common.runs.record import make_settings


@dataclass(frozen=True)
class Written:
    """A page that was written."""

    path: Path
    content: Content
    size: int
    """Bytes of the file."""


def write_page(competition: Competition) -> Written:
    """Write `outputs/<competition>/page.html` and return what it shows. Raises UserError when it cannot be written."""
    return _write(competition, outputs(competition.name) / "page.html")


def write_report(competition: Competition, run: str) -> Written:
    """Write `outputs/<competition>/report-<run>.html`, the page of one run.

    Raises UserError when there is no such run, or the file cannot be written.
    """
    run_folder(competition.name, run)  # refuses what is no name of a run
    return _write(competition, outputs(competition.name) / f"report-{run}.html", run)


def _write(competition: Competition, path: Path, only: str = "") -> Written:
    with waiting("gather runs and submissions"):
        content = gather(competition, only)
        if only and not content.runs:
            known = listed(row.name for row in gather(competition).runs) or "none"
            raise UserError(
                f"{brief(only)} is no run of {competition.name} (runs: {known}); make it with: "
                f"make exp={only.split('-')[0]} train{make_settings(only, competition.name)}"
            )
    folders = [folder_of(competition.name, name) for name in _best_first(content)]
    blends = None if only else partial(blend_texts, competition)
    texts = examples.gather(competition, folders, blends)
    content = replace(content, examples=dict(texts.index))
    with waiting("write the page"):
        write_text(path, document(content, texts.blocks))
    return Written(path, content, path.stat().st_size)


def _best_first(content: Content) -> list[str]:
    """Return the names of the runs in descending order of their dev scores: room for texts goes to the best."""
    profile = content.dev_profile

    def score(name: str) -> float:
        [row] = [row for row in content.runs if row.name == name]
        return row.dev[profile].score if profile in row.dev else float("-inf")

    return sorted((row.name for row in content.runs), key=score, reverse=True)
