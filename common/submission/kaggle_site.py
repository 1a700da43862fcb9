"""Submit a file to a Kaggle competition with Kaggle's official client, and read its status and scores.

`import kaggle` logs in, over the network, so everything that imports it happens inside functions and under a deadline.
"""

import contextlib
import io
import logging
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from common.core.errors import UserError
from common.core.messages import cut, duration
from common.llm.deadline import DeadlineThread
from common.llm.keys import read_secret, redact
from common.submission import kaggle_key

INSTALL = ".venv/bin/pip install -c constraints.txt -e '.[kaggle]'"
ENDPOINT = "KAGGLE_API_ENDPOINT"
"""Environment variable with another address of the API than Kaggle's own, for a proxy or a test."""
_KEYS = ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY")
_ANSWER_SECONDS = 60.0
_SLOWEST = 50_000
"""Bytes a second of the slowest upload that is waited for. Without a network the client itself tries again for over an hour."""
_PAGE = 200
"""Number of the newest submissions among which an earlier upload is looked for."""
T = TypeVar("T")


class RefusalError(UserError):
    """The site refused a request, so nothing came of it."""


@dataclass(frozen=True)
class Seen:
    """A submission as the site shows it."""

    ref: str
    """The site's number for it."""
    status: str
    """"pending", "complete" or "error"."""
    public: float | None = None
    private: float | None = None
    error: str = ""
    """Why the site could not score it."""
    date: datetime | None = None
    """When it was uploaded, in UTC; None when the site does not say."""


@dataclass(frozen=True)
class Kaggle:
    """A session with the site; `connect` begins it."""

    api: Any
    competition: str
    secrets: tuple[str, ...]

    def submit(self, path: Path, description: str) -> str:
        """Upload a file as a submission and return the site's number for it. Raises UserError as `_asked` does."""

        def work() -> Any:
            return self.api.competition_submit(str(path), description, self.competition, quiet=True)

        answer = self._asked(work, _ANSWER_SECONDS + path.stat().st_size / _SLOWEST)
        ref = getattr(answer, "ref", None)
        if ref:
            return str(ref)
        said = self._shown(getattr(answer, "message", ""))
        raise RefusalError(
            f"kaggle: the site did not accept the file ({said or 'no reason given'}). "
            "Look at the submissions on the site, then run the same command again."
        )

    def status(self, ref: str) -> Seen:
        """Return a submission, given the site's number for it. Raises UserError as `_asked` does.

        One that the site does not know is pending: it may know a new submission only after some seconds.
        """
        import requests

        def work() -> Any:
            from kagglesdk.competitions.types.competition_api_service import ApiGetSubmissionRequest

            request = ApiGetSubmissionRequest()
            request.ref = int(ref)
            try:
                with self.api.build_kaggle_client() as client:
                    return client.competitions.competition_api_client.get_submission(request)
            except requests.HTTPError as error:
                if _code(error.response) == 404:
                    return None
                raise

        found = self._asked(work, _ANSWER_SECONDS, f"submission {ref}")
        return Seen(ref, "pending") if found is None else self._seen(found)

    def find(self, description: str) -> Seen | None:
        """Return the newest submission whose description begins with this text. Raises UserError as `_asked` does."""
        found = self._asked(
            lambda: self.api.competition_submissions(self.competition, page_size=_PAGE), _ANSWER_SECONDS
        )
        for one in found or ():
            if (getattr(one, "description", "") or "").startswith(description):
                return self._seen(one)
        return None

    def _seen(self, found: Any) -> Seen:
        try:
            status = str(found.status.name).lower()
            done = status == "complete"
            public, private = (
                _score(text) if done else None for text in (found.public_score, found.private_score)
            )
            seen = Seen(
                str(int(found.ref)), status, public, private, self._shown(found.error_description), found.date
            )
        except (AttributeError, TypeError, ValueError) as error:
            raise _changed(type(error).__name__) from None
        if status not in ("pending", "complete", "error") or seen.ref == "0":
            raise _changed(f"status {cut(status)}, number {seen.ref}")
        return seen

    def _shown(self, text: object) -> str:
        return _without(str(text or ""), self.secrets)

    def _asked(self, work: Callable[[], T], seconds: float, what: str = "") -> T:
        """Return the result of `work`. Raises UserError for every refusal, failure and answer of another form."""
        return _within(
            work, seconds, self.secrets, what or f'the competition "{self.competition}"', self.competition
        )


def connect(competition: str) -> Kaggle:
    """Return a session for a competition with the user's key: from the environment, .env or Kaggle's own files.

    Raises UserError when the client is not installed, there is no key, or the site refuses it or cannot be reached.
    """
    try:
        from kagglesdk import get_access_token_from_env, kaggle_env
    except ImportError:
        raise UserError(
            f"make upload needs Kaggle's client, which is not installed; run: {INSTALL}"
        ) from None
    for name in _KEYS:
        # The client looks only there, keeps the line end of a pasted key, and takes an empty value for a key.
        if value := read_secret(name)[0]:
            os.environ[name] = value
        else:
            os.environ.pop(name, None)
    endpoint = os.environ.get(ENDPOINT, "").strip().rstrip("/")
    if endpoint:
        kaggle_key.require_safe(ENDPOINT, endpoint)
        try:
            kaggle_env._env_to_endpoint[kaggle_env.KaggleEnv.PROD] = endpoint
        except AttributeError:
            raise UserError(f"{ENDPOINT}: this version of kaggle cannot use it; run: {INSTALL}") from None
    try:
        token = get_access_token_from_env()[0]
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise UserError(
            f"kaggle: the access token cannot be read ({type(error).__name__}); write it again."
        ) from None
    logging.getLogger("urllib3.connectionpool").setLevel(
        logging.ERROR
    )  # each retry of the client is a warning
    secrets = kaggle_key.secrets(token)
    kaggle_key.require_key(token)

    def work() -> Any:
        from kaggle.api.kaggle_api_extended import KaggleApi

        api = KaggleApi()
        api.authenticate()
        return api

    return Kaggle(_within(work, _ANSWER_SECONDS, secrets, "the key", competition), competition, secrets)


def _within(
    work: Callable[[], T], seconds: float, secrets: tuple[str, ...], what: str, competition: str
) -> T:
    """Return the result of `work`, which prints nothing; raise UserError, without any key, for all that goes wrong."""
    import requests

    def silent() -> T:
        with contextlib.redirect_stdout(io.StringIO()):
            return work()

    try:
        return DeadlineThread().within(seconds, silent)
    except TimeoutError:
        raise UserError(
            f"kaggle: no answer within {duration(seconds)}. Run the same command again later."
        ) from None
    except SystemExit:
        raise UserError(
            "kaggle: the site does not know the API key; make a new one at https://www.kaggle.com/settings and replace "
            "KAGGLE_API_TOKEN, or KAGGLE_USERNAME and KAGGLE_KEY."
        ) from None
    except requests.HTTPError as error:
        raise _refused(error, secrets, what, competition) from None
    except requests.exceptions.JSONDecodeError:
        raise _changed("not JSON") from None
    except requests.RequestException as error:
        raise UserError(
            f"kaggle: the site cannot be reached ({type(error).__name__}). Check the network, then run "
            "the same command again."
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise _changed(type(error).__name__) from None


def _refused(error: Any, secrets: tuple[str, ...], what: str, competition: str) -> UserError:
    """Return the error for an HTTP status of 400 or more."""
    answer = error.response
    code = _code(answer)
    message = _without(_message(answer), secrets)
    said = f' and says "{message}"' if message else ""
    page = f"https://www.kaggle.com/competitions/{competition}"
    if code == 401:
        return RefusalError(
            f"kaggle: the site refuses the API key (401){said}; make a new one at https://www.kaggle.com/settings and "
            "replace KAGGLE_API_TOKEN, or KAGGLE_USERNAME and KAGGLE_KEY."
        )
    if code == 403:
        return RefusalError(
            f"kaggle: the site refuses access to {what} (403){said}; accept the rules at {page}/rules with the account of the "
            "key, and check that the key is right."
        )
    if code == 404:
        return RefusalError(
            f"kaggle: the site does not know {what} (404){said}; check [site] competition in competition.toml: wanted the "
            f"last part of the address {page}"
        )
    if code == 429:
        pause = _whole(answer.headers.get("Retry-After"))
        again = f"in {duration(pause)}" if pause else "in a few minutes"
        return RefusalError(
            f"kaggle: too many requests or submissions (429){said}. Run the same command again {again}."
        )
    if code >= 500:
        return UserError(
            f"kaggle: the site has an error of its own ({code}){said}. Run the same command again later."
        )
    return RefusalError(f"kaggle: the site refuses the request ({code}){said}. Look at {page}/submissions")


def _changed(detail: str) -> UserError:
    return UserError(
        f"kaggle: the site answers in another form than the client expects ({detail}). Look at the "
        f"submissions on the site, and update the client: {INSTALL}"
    )


def _body(answer: Any) -> dict[str, Any]:
    """Return the JSON object of an answer; {} when it has none."""
    try:
        found = answer.json()
    except (AttributeError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _code(answer: Any) -> int:
    """Return the HTTP status, or the one in the body of an answer whose own status is below 400."""
    own, inner = int(getattr(answer, "status_code", 0) or 0), _body(answer).get("code")
    return inner if own < 400 and isinstance(inner, int) else own


def _message(answer: Any) -> str:
    """Return the site's own words in an answer; "" when it has none."""
    text = _body(answer).get("message")
    return text if isinstance(text, str) else ""


def _without(text: str, secrets: tuple[str, ...]) -> str:
    """Return a text of the site as one short printable line without any key."""
    for secret in secrets:
        text = redact(text, secret)
    return cut(" ".join(text.split()).rstrip("."), 200)


def _score(text: object) -> float | None:
    """Return a score, None when the site shows none. Raises ValueError for a text that is no number."""
    if text is None or (isinstance(text, str) and not text.strip()):
        return None
    score = float(str(text))
    if not math.isfinite(score):
        raise ValueError(text)
    return score


def _whole(text: str | None) -> int:
    return min(int(text), 86_400) if text and text.isdecimal() else 0
