"""Define the commands of `python -m common`, which the Makefile calls."""

import click

from common.cli import data, exchange, experiments, runs
from common.cli.data import leaks_command
from common.cli.doctor import doctor
from common.cli.elsewhere import register, validate
from common.cli.experiments import infer, list_experiments
from common.cli.ledger import lb, leaderboard_command, pick, reproduce_command
from common.cli.new import new
from common.cli.page import report
from common.cli.postprocess import postprocess
from common.cli.predict import predict
from common.cli.results import compare, results_command, score
from common.cli.settings import settings
from common.cli.stats import stats
from common.cli.submissions import blend_report_command, submit
from common.cli.sweep import sweep, sweep_report
from common.cli.upload import upload
from common.cli.watch import watch
from common.core.command_line import run_command


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 112, "terminal_width": 112}
)
def commands() -> None:
    """Korean dialogue summarization: import data, train models, blend and submit."""


for command in (
    doctor, data.data, data.use, leaks_command, stats, list_experiments, settings, experiments.train, infer, predict, new,
    experiments.smoke, experiments.merge, experiments.import_adapter, score,
    compare, submit, validate, register, upload, blend_report_command, leaderboard_command, lb, pick, reproduce_command, results_command, report,
    postprocess, experiments.track, data.docs, data.augment, runs.runs_command, runs.note, runs.archive, runs.restore, exchange.export,
    exchange.import_command, sweep, sweep_report, watch,
):  # fmt: skip
    commands.add_command(command)


def main() -> None:
    """Run a command. A user error prints one message to stderr and exits with 1; a wrong command line exits with 2.

    A signal prints one message and exits with 128 + its number.
    """
    run_command(commands, "python -m common")
