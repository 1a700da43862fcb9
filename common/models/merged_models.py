"""Recognize merged models (`make merge`) by the name that a user gave, in any form of the path. Never imports torch."""

import os
from pathlib import Path

from common.core.errors import UserError
from common.core.files import root, user_path
from common.core.messages import brief
from common.core.paths import MERGED, RUN_NAME, merged_folder


def merged_run(name: str) -> str:
    """Return the run of a merged model from the path that names the model; "" when the name is no such path.

    The path may be absolute or relative to the repository, contain "." and "..", or be a link; the folder need not exist.
    """
    if not name.strip() or _is_end_of_path(name):
        return ""
    written = root() / user_path(name)
    for path in (Path(os.path.normpath(written)), _real(written)):
        # Without such a folder, merged/NAME is a model on the hub.
        if path.parent.name == MERGED and (path.parent.parent != root() or _real(path).is_dir()):
            return path.name
    return ""


def require_whole_path(name: str) -> None:
    """Raise UserError for the end of a merged model's path, merged/RUN or COMPETITION/merged/RUN, unless it is a folder."""
    if not _is_end_of_path(name):
        return
    run = Path(name).name
    wanted = f"outputs/COMPETITION/{MERGED}/{run}"
    there = sorted(str(path.relative_to(root())) for path in (root() / "outputs").glob(f"*/{MERGED}/{run}"))
    if there:
        raise UserError(
            f"model {brief(name)}: wanted the path from the repository's folder, {wanted}; there is {', '.join(there)}."
        )
    raise UserError(
        f"model {brief(name)}: wanted the path from the repository's folder, {wanted}, which does not exist yet; "
        f"train {run}, then create it with: make merge run={run}"
    )


def missing(name: str) -> UserError | None:
    """Return the error for the path of a merged model that does not exist; None for a name that is no such path."""
    if not merged_run(name):
        return None
    folder = _real(root() / user_path(name))
    run, competition = folder.name, folder.parent.parent.name
    if folder != merged_folder(competition, run).resolve() or not RUN_NAME.fullmatch(run):
        return UserError(
            f"model {brief(name)}: there is no such folder; make merge writes outputs/COMPETITION/{MERGED}/RUN in the "
            "repository."
        )
    return UserError(
        f"model {brief(name)} does not exist yet; train {run}, then create it with: make merge run={run} "
        f"comp={competition}."
    )


def _is_end_of_path(name: str) -> bool:
    parts = Path(name).parts
    return (
        len(parts) in (2, 3)
        and parts[-2] == MERGED
        and parts[0] not in ("/", "~", "..", "outputs")
        and RUN_NAME.fullmatch(parts[-1]) is not None
        and not _real(root() / name).is_dir()
    )


def _real(path: Path) -> Path:
    """Return the path without links and ".."; the path itself when it cannot be resolved."""
    try:
        return path.resolve()
    except (OSError, ValueError, RuntimeError):  # a name that no folder can have; a loop of links
        return path
