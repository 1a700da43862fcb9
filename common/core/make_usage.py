"""Report a mistake on the command line in the words of make, when make started the command."""

import os
import typing
from typing import Annotated, Any

import click

from common.core.language import translated
from common.core.messages import brief

SETTINGS = {"competition": "comp", "predictions": "pred", "parents": "n", "query": "q", "library": "lib"}
"""Option → the setting of make that becomes it, where the two have different names."""


def target(command_path: str) -> str:
    """Return the target of make that started this command; "" when a user did without make."""
    name = command_path.rsplit(" ", 1)[-1]
    return name if name in os.environ.get("KDS_GOALS", "").split() else ""


def told(error: click.UsageError, goal: str) -> tuple[str, str]:
    """Return the message of a wrong command line that a target of make made, and where the target is explained."""
    return _message(error) or error.format_message(), translated(f"See: make help {goal}")


def _message(error: click.UsageError) -> str:
    """Return a message that names the setting of make; "" when the mistake is in no value of a setting."""
    option = error.param if isinstance(error, click.BadParameter) else None
    names = [name.lstrip("-") for name in (option.opts if option else ()) if name.startswith("--")]
    setting = next((SETTINGS.get(name, name) for name in names), "")
    wanted = _wanted(option.type) if option else ""
    if not wanted or setting not in os.environ.get("KDS_GIVEN", "").split() or setting not in os.environ:
        return ""
    return f"{setting}={brief(os.environ[setting])}: wanted {wanted}."


def _wanted(kind: Any) -> str:
    from common.core.ranges import described

    hint: Any
    if isinstance(kind, click.Choice):
        hint = typing.Literal[tuple(kind.choices)]
    elif isinstance(kind, click.IntRange | click.FloatRange):
        hint = _bounded(kind)
    else:
        return ""
    return described(hint)


def _bounded(kind: click.IntRange | click.FloatRange) -> Any:
    from annotated_types import Ge, Le

    hint: Any = int if isinstance(kind, click.IntRange) else float
    for bound, value in ((Ge, kind.min), (Le, kind.max)):
        if value is not None:
            hint = Annotated[hint, bound(value)]
    return hint
