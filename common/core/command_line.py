"""Run a click command as the whole program: one line for each mistake, and the exit code that belongs to it."""

import logging
import signal
import sys
from typing import NoReturn

import click

from common.core import make_usage, signals
from common.core.errors import UserError
from common.core.language import korean, spoken, unknown
from common.core.messages import brief, close_bars, cut, log_to_terminal
from common.core.secrets import require_no_secrets
from common.core.terminal import error_line, spoken_on, wrapped

log = logging.getLogger(__name__)
_LONGEST = 400


def run_command(command: click.Command, name: str, advice: str = "") -> NoReturn:
    """Run the command with the process's arguments and exit; `name` is how messages call it.

    Exit codes: 1 after a UserError, 2 for a wrong command line, 128 + its number after a signal, which is followed by
    `advice`. Each prints one line to stderr, which a narrow terminal gets wrapped.
    """
    if korean():
        from common.core.translation import translated_command

        command = translated_command(command)
    with spoken(), signals.raised(), signals.told(advice):
        log_to_terminal()
        if language := unknown():
            log.warning("warning: KDS_LANG=%s: wanted ko or en; messages are in English.", brief(language))
        try:
            require_no_secrets(sys.argv[1:])
            sys.exit(command.main(sys.argv[1:] or ["--help"], prog_name=name, standalone_mode=False))
        except UserError as error:
            close_bars()
            sys.exit(error_line(error))
        except click.UsageError as error:
            command_path = error.ctx.command_path if error.ctx else name
            goal = make_usage.target(command_path)
            said, more = (
                make_usage.told(error, goal)
                if goal
                else (error.format_message(), spoken_on(sys.stderr, f"See: {command_path} --help"))
            )
            message = cut(" ".join(said.split()), _LONGEST)
            sys.stderr.write(wrapped(f"{error_line(message)} {more}", sys.stderr) + "\n")
            sys.exit(2)
        except click.Abort:  # a library has put Python's own handler in place of ours
            raise signals.Interrupted(signal.SIGINT) from None
