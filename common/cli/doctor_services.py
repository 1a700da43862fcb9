"""Checks of `make doctor` on services: the Hugging Face hub, its token, and the API keys (never shown)."""

import os
import threading
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from common.cli.doctor_check import Check
from common.core.errors import UserError

SECONDS = 6.0
"""Longest wait for the hub, including the look-up of its address, which has no timeout of its own."""


def start_hub() -> Callable[[], list[Check]]:
    """Start to ask the hub; return a function that waits for the answer, `SECONDS` at most, and returns the checks."""
    # Two threads that import one package at the same time may each get it half made.
    import_module("common.llm.keys")
    from common.cli.doctor_check import guarded

    answers: list[list[Check]] = []

    def work() -> None:
        answers.append(guarded("hub", hub, needed=False))

    thread = threading.Thread(
        target=work, daemon=True
    )  # a look-up that hangs must not keep the process alive
    thread.start()

    def wait() -> list[Check]:
        thread.join(SECONDS)
        late = Check("hub", "wrong", f"no answer within {SECONDS:.0f} seconds", _ELSEWHERE)
        return answers[0] if answers else [late, *guarded("hub token", lambda: [_token()[0]], needed=False)]

    return wait


_ELSEWHERE = 'check the network and proxy; offline, name a copied model: args="--model FOLDER"'


def hub() -> Iterator[Check]:
    """Check whether the hub answers and accepts the token, with one request."""
    import requests
    from huggingface_hub import constants

    check, token = _token()
    if constants.HF_HUB_OFFLINE:
        yield Check(
            "hub",
            "missing",
            "HF_HUB_OFFLINE forbids asking it; only cached models load",
            "unset HF_HUB_OFFLINE",
        )
        yield check
        return
    endpoint = constants.ENDPOINT
    safe = endpoint.startswith(("https://", "http://127.0.0.1", "http://localhost"))

    def sign(request: Any) -> Any:  # a function in place of ~/.netrc, which requests would read
        if token and safe and check.status == "ok":
            request.headers["Authorization"] = f"Bearer {token}"
        return request

    try:
        answer = requests.get(f"{endpoint}/api/whoami-v2", auth=sign, timeout=(3, 3), allow_redirects=False)
    except (
        requests.RequestException,
        UnicodeError,
        ValueError,
    ) as error:  # its text may hold a proxy's password
        yield Check(
            "hub", "wrong", f"{_host(endpoint)} cannot be reached ({type(error).__name__})", _ELSEWHERE
        )
        yield check
        return
    status = answer.status_code
    if status >= 500 or 300 <= status < 400:
        yield Check("hub", "wrong", f"{_host(endpoint)} answered {status}", "try again later")
    else:
        yield Check("hub", "ok", f"{_host(endpoint)} answers")
    if token and status in (401, 403):
        yield Check("hub token", "wrong", f"{check.found}, but the hub refuses it ({status})",
                    "make a new one at https://huggingface.co/settings/tokens, then: export HF_TOKEN=…")  # fmt: skip
    else:
        yield check


def _host(endpoint: str) -> str:
    return endpoint.partition("://")[2].rpartition("@")[2] or "the hub"


def _token() -> tuple[Check, str]:
    """Return the check of the hub's token, and the token."""
    from huggingface_hub import constants, get_token

    from common.llm.keys import read_secret

    token = get_token() or ""
    named = next((n for n in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN") if os.environ.get(n, "").strip()), "")
    place = f"{named} in the environment" if named else str(constants.HF_TOKEN_PATH)
    if token and not (token.isascii() and token.isprintable() and " " not in token):
        return Check("hub token", "wrong", f"present ({place}), but with characters that tokens do not have",
                     "copy it again: export HF_TOKEN=…"), ""  # fmt: skip
    if token:
        return Check("hub token", "ok", f"present ({place})"), token
    if read_secret("HF_TOKEN")[0]:
        return Check("hub token", "wrong", "HF_TOKEN is in .env, where the hub's library does not look",
                     "export HF_TOKEN=…, or: .venv/bin/hf auth login"), ""  # fmt: skip
    return Check(
        "hub token", "missing", "only gated models need one", "export HF_TOKEN=…, or: .venv/bin/hf auth login"
    ), ""


def keys() -> Iterator[Check]:
    """Check the keys that are read from the environment or .env (Solar, Context7), and that of W&B."""
    from common.llm.config import LLMConfig
    from common.llm.keys import read_key, read_secret

    solar = LLMConfig()
    for name, use in (
        (solar.key_name, "exp006 and augment method=paraphrase"),
        ("CONTEXT7_API_KEY", "more make docs"),
    ):
        fix = f"add the line {name}=… to .env, or: export {name}=…"
        try:
            key, place = read_secret(name)
            if not key:
                yield Check(name, "missing", f"neither in the environment nor in .env; for {use}", fix)
                continue
            read_key(LLMConfig(key_name=name))
        except UserError as error:
            yield Check(name, "wrong", " ".join(str(error).split()), fix)
        else:
            yield Check(name, "ok", f"present (in {place})")
    yield _wandb_key()


def _wandb_key() -> Check:
    from common.llm.keys import read_secret

    name, login = "WANDB_API_KEY", ".venv/bin/wandb login, or: export WANDB_API_KEY=…"
    if os.environ.get(name, "").strip():
        return Check(name, "ok", "present (in the environment)")
    given = os.environ.get("NETRC")
    for path in [Path(given)] if given else [Path.home() / ".netrc", Path.home() / "_netrc"]:
        if path.is_file():
            import netrc

            try:
                if netrc.netrc(path).authenticators(_wandb_host()):
                    return Check(name, "ok", f"present (in {path})")
            except (netrc.NetrcParseError, OSError, UnicodeError):
                return Check(name, "wrong", f"{path} cannot be read", login)
    if read_secret(name)[0]:
        return Check(name, "wrong", "it is in .env, where wandb does not look", login)
    return Check(name, "missing", "neither in the environment nor in ~/.netrc; for track=online", login)


def _wandb_host() -> str:
    url = os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")
    return url.partition("://")[2].partition("/")[0].partition(":")[0]
