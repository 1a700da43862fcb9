"""Turn failures of the Hugging Face hub into one line that says what to do."""

import shutil
from pathlib import Path
from typing import Any

from common.core.errors import UserError, first_line
from common.core.files import existing_parent
from common.core.messages import size_text

ELSEWHERE = 'or download it on a machine that can reach the hub and use that folder: args="--model FOLDER"'


def refusal(name: str, revision: str | None, error: Exception) -> UserError | None:
    """Return a UserError for a failed download; None when the error does not come from the hub, network or disk."""
    from huggingface_hub import constants, errors

    model = _model(name, revision)
    cause = error.__cause__ if isinstance(error, errors.LocalEntryNotFoundError) else None
    if constants.HF_HUB_OFFLINE:
        return switched_off(name, revision)
    for answer in (error, cause):
        if isinstance(answer, errors.HfHubHTTPError):
            return UserError(f"{model}: {_answer(name, answer)}.")
    if isinstance(error, UnicodeEncodeError):
        return UserError(
            f"{model}: HF_TOKEN contains characters that are not allowed in a token; correct it or unset it."
        )
    # The HTTPError of httpx or httpx2, depending on the version of huggingface_hub.
    transport: type[Exception] = errors.HTTPError  # type: ignore[attr-defined]
    if isinstance(error, errors.LocalEntryNotFoundError | ConnectionError | TimeoutError | transport):
        return UserError(
            f"{model}: not in the local cache, and the hub at {constants.ENDPOINT} cannot be reached "
            f"({type(cause or error).__name__}); check the network, {ELSEWHERE}."
        )
    if isinstance(error, OSError | RuntimeError):  # hf_xet, which writes large files, raises RuntimeError
        free = shutil.disk_usage(existing_parent(Path(constants.HF_HUB_CACHE).resolve())).free
        return UserError(
            f"{model}: writing to {constants.HF_HUB_CACHE} failed ({first_line(error)}); {size_text(free)} are free there. Make "
            "room, or set HF_HOME to a folder on another disk, and run the same command again: complete files are kept."
        )
    return None


def switched_off(name: str, revision: str | None) -> UserError:
    """Return the error for a model that is not in the cache while HF_HUB_OFFLINE is set."""
    from huggingface_hub import constants

    return UserError(
        f"{_model(name, revision)}: not in the local cache {constants.HF_HUB_CACHE}, and HF_HUB_OFFLINE forbids asking "
        f"the hub; unset HF_HUB_OFFLINE, {ELSEWHERE}."
    )


def require_room(name: str, commit: str, sizes: dict[str, int]) -> None:
    """Raise UserError when the disk of huggingface_hub's cache has no room for the files still to be downloaded."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.constants import HF_HUB_CACHE

    missing = sum(
        size
        for file, size in sizes.items()
        if not isinstance(try_to_load_from_cache(name, file, revision=commit), str)
    )
    free = shutil.disk_usage(existing_parent(Path(HF_HUB_CACHE).resolve())).free
    if missing > free:
        raise UserError(
            f"hub model {name}: the download to {HF_HUB_CACHE} needs {size_text(missing)}, but only "
            f"{size_text(free)} are free there; make room, or set HF_HOME to a folder on another disk."
        )


def _model(name: str, revision: str | None) -> str:
    return f"hub model {name}" + (f" at revision {revision}" if revision else "")


def _answer(name: str, error: Any) -> str:
    """Return what the hub answered (an HfHubHTTPError) and what to do about it."""
    from huggingface_hub import constants, errors

    page, status = f"https://huggingface.co/{name}", error.response.status_code
    if isinstance(error, errors.GatedRepoError):
        return (
            f"gated, and the hub denied access to this account ({status}); accept the terms at {page} and put a token of "
            f"that account into HF_TOKEN, {ELSEWHERE}"
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        return (
            f"the hub has no model of that name, or it is private ({status}); check the spelling at {page}, put a token "
            'with read access into HF_TOKEN, or use a local folder: args="--model FOLDER"'
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return f"the hub has the model, but not that revision; wanted a branch, tag or commit listed at {page}/commits/main"
    hint = "check HF_TOKEN" if status in (401, 403) else "try again later"
    return f"the hub at {constants.ENDPOINT} answered {status}; {hint}, {ELSEWHERE}"
