"""Options that several commands share."""

import click

from common.data.competition import PROFILE_NAMES

COMPETITION = click.option("--competition", "name", help="Default: the active competition.")
BLEND = click.option(
    "--blend", help="Name of a recipe in submissions/; default: the name of the competition."
)
SPLIT = click.option("--split", type=click.Choice(["dev", "test"]), default="dev", show_default=True)
PROFILE = click.option(
    "--profile",
    "only",
    type=click.Choice(sorted(PROFILE_NAMES)),
    multiple=True,
    help="Default: all profiles that suit the competition.",
)
STEMMER = click.option(
    "--stemmer", is_flag=True, help="Score google on Porter stems, as use_stemmer=True does in rouge_score."
)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
ALL = click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Show every profile, not only the one that the competition is judged by.",
)
