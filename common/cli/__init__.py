"""The click commands that the Makefile calls: `python -m common COMMAND --help`."""

import logging
import sys

import click

from common.cli import augment, boards, data, docs, experiments, postprocessing, track
from common.errors import UserError


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110, "terminal_width": 110}
)
def commands() -> None:
    """Korean dialogue summarization: import data, train models, blend and submit."""


for command in (
    data.data, data.use, data.leaks_command, experiments.list_experiments, experiments.train, experiments.infer, experiments.new,
    experiments.smoke, experiments.soup, experiments.merge, boards.score,
    boards.compare, boards.submit, boards.blend_report_command, boards.leaderboard_command, boards.lb, boards.results_command, postprocessing.postprocess, track.track, docs.docs, augment.augment,
):  # fmt: skip
    commands.add_command(command)


def main() -> None:
    """Run a command. A user error prints one message to stderr and exits with 1; a wrong command line exits with 2."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        commands(prog_name="python -m common")
    except UserError as error:
        sys.exit(f"error: {error}")
