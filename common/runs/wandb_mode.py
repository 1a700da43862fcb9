"""Decide whether a run is tracked in Weights & Biases, before it starts."""

import importlib.util
import logging
import os
from pathlib import Path
from typing import Any, Literal

from common.core.errors import UserError
from common.core.messages import brief

log = logging.getLogger(__name__)
Mode = Literal["off", "offline", "online"]
CHOICES = ("off", "auto", "offline", "online")
ENVIRONMENT_MODES: dict[str, Mode] = {
    "online": "online",
    "run": "online",
    "offline": "offline",
    "dryrun": "offline",
}


def tracking_mode(asked: str, *, smoke: bool = False, setting: str = "track") -> Mode:
    """Return how a run is tracked; this is decided before the run starts and never changes to another mode later.

    "auto" uses WANDB_MODE if that is set. Otherwise it is online when wandb is installed and finds a key, and off
    when not or in a smoke run. WANDB_MODE=disabled or WANDB_DISABLED=true always switch tracking off. Messages call the
    setting that was given `setting`: a stage takes track=, `make track` takes mode=.
    Raises UserError when `asked` is not one of the choices, or is "online" or "offline" and that is impossible.
    """
    wanted: Mode
    require_choice(asked)
    from_environment = os.environ.get("WANDB_MODE", "").lower()
    if os.environ.get("WANDB_DISABLED", "").lower() in ("1", "true", "yes") or from_environment == "disabled":
        return "off"
    if asked == "off":
        return "off"
    if asked != "auto":
        wanted = "online" if asked == "online" else "offline"
        obstacle = _obstacle(wanted, f"{setting}=offline")
        if obstacle:
            raise UserError(f"{setting}={asked}: {obstacle}")
        return wanted
    if from_environment in ENVIRONMENT_MODES:
        wanted = ENVIRONMENT_MODES[from_environment]
        obstacle = _obstacle(wanted)
        if obstacle:
            log.warning("WANDB_MODE=%s, but this run is not tracked: %s", from_environment, obstacle)
        return "off" if obstacle else wanted
    if smoke or not _key_may_exist():
        return "off"
    obstacle = _obstacle("online")
    if obstacle and os.environ.get("WANDB_API_KEY"):
        log.warning("WANDB_API_KEY is set, but this run is not tracked: %s", obstacle)
    return "off" if obstacle else "online"


def require_choice(asked: str) -> None:
    """Raise UserError unless this is a value of track=."""
    if asked not in CHOICES:
        choices = f"{', '.join(CHOICES[:-1])} or {CHOICES[-1]}"
        raise UserError(f"track={brief(asked)}: wanted {choices}.")


def _obstacle(wanted: Mode, instead: str = "track=offline") -> str:
    """Return why the mode is impossible here and what to do about it; "" when it is possible.

    `instead` is the setting that needs no key.
    """
    if importlib.util.find_spec("wandb") is None:
        return (
            "wandb is not installed; install it with: .venv/bin/pip install -c constraints.txt -e '.[track]'"
        )
    if wanted == "offline":
        return ""
    os.environ["WANDB_MODE"] = "online"  # wandb reads this variable too, and an explicit choice has priority
    try:
        found = bool(wandb().login(prompt=False, verify=False))
    except Exception as error:
        return f"the W&B key cannot be used ({error_line(error)}); make a new one with: .venv/bin/wandb login"
    if found:
        return ""
    return f"there is no W&B key; run .venv/bin/wandb login, set WANDB_API_KEY, or use {instead}"


def _key_may_exist() -> bool:
    """Return whether any of the places exists where wandb looks for a key; this avoids the import of wandb."""
    netrc = os.environ.get("NETRC")
    places = [Path(netrc)] if netrc else [Path.home() / ".netrc", Path.home() / "_netrc"]
    named = any(os.environ.get(name) for name in ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE"))
    return named or any(place.exists() for place in places)


def wandb() -> Any:
    """Return the package, silenced and without its error reports to its developers."""
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    os.environ.setdefault("WANDB_SILENT", "true")
    import wandb  # takes half a second, so untracked runs do not import it

    return wandb


def error_line(error: Exception) -> str:
    """Return the first line of an error with the API key removed."""
    text = (str(error).splitlines() or [""])[0]
    key = os.environ.get("WANDB_API_KEY", "").strip()
    return f"{type(error).__name__}: {text.replace(key, '…') if key else text}"


def sweep_run(experiment: str) -> str | None:
    """Return the run name of this trial when a sweep agent started this process, else None."""
    trial = os.environ.get("WANDB_RUN_ID", "").lower()
    return f"{experiment}-{trial}" if os.environ.get("WANDB_SWEEP_ID") and trial else None
