"""Options that several commands share."""

from pathlib import Path

import click

from common.core.errors import UserError
from common.core.messages import brief
from common.rouge import PROFILES


def user_path(text: str) -> Path:
    """Return the path, with "~" as the home folder: a shell does not expand it inside from=~/folder."""
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise UserError(f"{brief(text)}: there is no such user; write the whole path.") from error


COMPETITION = click.option("--competition", "name", help="Default: the active competition.")
SPLIT = click.option("--split", type=click.Choice(["dev", "test"]), default="dev", show_default=True)
PROFILE = click.option(
    "--profile",
    "only",
    type=click.Choice(sorted(PROFILES)),
    multiple=True,
    help="Default: all profiles that suit the competition.",
)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
