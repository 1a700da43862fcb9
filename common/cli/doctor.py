"""The command `doctor`: check the machine, the services and the repository, and name the command that fixes each fault."""

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict

import click

from common.cli import doctor_extras, doctor_machine, doctor_project, doctor_services
from common.cli.doctor_check import Check, guarded
from common.cli.options import AS_JSON, COMPETITION
from common.core import terminal
from common.core.messages import printable
from common.data.competition_file import require_competition

_COLOURS = {"ok": "green", "missing": "yellow", "wrong": "red"}
_INDENT = 26


@click.command()
@COMPETITION
@AS_JSON
def doctor(name: str | None, as_json: bool) -> None:
    """Check this machine, its packages and keys, and the data; a line each.

    A key is only said to be present or not. The exit code is 1 when something is missing or wrong that training,
    inference or submission needs.
    """
    if name:
        require_competition(name)
    found: list[Check] = []
    for check in checks(name):
        found.append(check)
        if not as_json:
            click.echo(line(check), color=False if os.environ.get("NO_COLOR") else None)
    stops = [check for check in found if check.stops]
    if as_json:
        rows = [{**asdict(check), "stops": check.stops} for check in found]
        click.echo(json.dumps({"ready": not stops, "checks": rows}, ensure_ascii=False))
    elif stops:
        names = ", ".join(dict.fromkeys(check.name for check in stops))
        terminal.say(f"\nNot ready: fix {names} first, then run make doctor again.")
    else:
        terminal.say("\nReady. What else is missing or wrong is optional. Next: make list")
    sys.exit(1 if stops else 0)


def checks(competition: str | None) -> Iterator[Check]:
    """Yield every check as soon as it is made; the slow ones run meanwhile, in another process and thread."""
    probe = doctor_machine.start_probe()
    try:
        hub = doctor_services.start_hub()
        yield from guarded("Python", doctor_machine.python)
        yield from guarded("packages", doctor_machine.packages)
        yield from guarded("CPU", doctor_machine.processor_and_memory, needed=False)
        yield from guarded("disk", doctor_machine.disks)
        yield from guarded("competition", lambda: doctor_project.competition_and_data(competition))
        yield from guarded("ledger", doctor_project.ledger)
        yield from guarded("git", doctor_project.git, needed=False)
        yield from guarded("writable", lambda: doctor_project.writable(competition))
        yield from guarded("API keys", doctor_services.keys, needed=False)
        yield from hub()
        seen = doctor_machine.probed(probe)
        yield from guarded("torch", lambda: doctor_machine.torch(seen))
        yield from guarded("extras", lambda: doctor_extras.extras(seen), needed=False)
    finally:
        if probe.poll() is None:
            probe.kill()
            probe.wait()


def line(check: Check) -> str:
    """Return a check for the terminal: one line, which a terminal that is too narrow gets wrapped and indented."""

    def said(text: str) -> str:
        return terminal.spoken_on(sys.stdout, printable(text))

    text = said(check.found) + (f" → {said(check.fix)}" if check.fix else "")
    mark = "!" if check.stops else " "
    head = (
        f"{click.style(f'{check.status:<7}', fg=_COLOURS[check.status])}{mark} {check.name:<{_INDENT - 10}} "
    )
    columns = terminal.width()
    if columns is None:
        return head + text
    first, *rest = terminal.filled(terminal.words(text), columns - _INDENT)
    if terminal.cells(first) > columns - _INDENT:
        first, rest = "", [first, *rest]
    # A path or a command that is wider than the column starts further left.
    indents = [_INDENT if terminal.cells(row) <= columns - _INDENT else 2 for row in rest]
    return "\n".join([head + first, *(" " * n + row for n, row in zip(indents, rest, strict=True))])
