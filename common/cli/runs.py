"""Commands for the runs on this machine: runs, note, archive, restore."""

import json
import shutil
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from common.cli.options import AS_JSON, COMPETITION
from common.core import terminal
from common.core.files import existing_parent, shown
from common.core.messages import cut, duration, local_time, size_text
from common.core.paths import outputs
from common.core.text_table import text_table
from common.data.competition_file import active_competition, comp_setting, load_competition
from common.runs import archive as archives
from common.runs import score_text
from common.runs.catalogue import RunEntry, areas, catalogue, dependants, disk_use
from common.runs.record import to_arguments

_DROP = ("minutes", "size", "date", "over floor", "changed settings", "note")
_COLOURS = {"trained": "green", "stale": "yellow", "broken": "red"}
RUN = click.option("--run", required=True, help="Name of the run: exp002 or exp002-seed2.")


@click.command("runs")
@COMPETITION
@AS_JSON
def runs_command(name: str | None, as_json: bool) -> None:
    """List every run on this machine, the newest first, and the disk space they use."""
    chosen = load_competition(name or active_competition())
    found, used = catalogue(chosen), areas(chosen.name)
    free = shutil.disk_usage(existing_parent(outputs(chosen.name))).free
    if as_json:
        report = {
            "competition": chosen.name,
            "profile": chosen.dev_profile,
            "runs": [asdict(entry) for entry in found],
            "disk": {"used": used, "total": sum(used.values()), "free": free},
        }
        click.echo(json.dumps(report, ensure_ascii=False))
        return
    if not found:
        terminal.say(
            f"{chosen.name}: no run yet; make one with: make exp=exp002 train{comp_setting(chosen.name)}"
        )
        return
    terminal.say(f"{chosen.name}: {len(found)} runs")
    click.echo(text_table(_table(found, chosen.dev_profile), _DROP, _COLOURS))
    for line in _reasons(found):
        terminal.say(line)
    several = (
        f" ({', '.join(f'{kind} {size_text(size)}' for kind, size in used.items())})" if len(used) > 1 else ""
    )
    terminal.say(f"disk: {size_text(sum(used.values()))} used{several}, {size_text(free)} free")
    terminal.say_next(f"make results{comp_setting(chosen.name)}")


def _table(found: list[RunEntry], profile: str) -> list[list[str]]:
    """Return a header and a row for each run, without the columns that would be empty."""
    head = [
        "run",
        "status",
        "date",
        score_text.short(profile),
        "over floor",
        "minutes",
        "size",
        "changed settings",
        "note",
    ]
    rows = [head, *(_row(entry, profile) for entry in found)]
    empty = {i for i in (7, 8) if not any(row[i] for row in rows[1:])}
    return [[cell for i, cell in enumerate(row) if i not in empty] for row in rows]


def _row(entry: RunEntry, profile: str) -> list[str]:
    halfway = entry.status in ("running", "interrupted", "failed") and entry.stage
    changed = {name.rpartition(".")[2]: value for name, value in entry.settings.items()}
    elsewhere = ", imported" if entry.imported and entry.status != "imported" else ""
    return [
        entry.run,
        f"{entry.status} ({entry.stage})" if halfway else f"{entry.status}{elsewhere}",
        local_time(entry.started) if entry.started else "–",
        score_text.number(entry.score, profile),
        "–" if entry.score is None else score_text.over(entry.score, entry.floor, profile),
        f"{entry.minutes:.1f}" if entry.minutes else "–",
        size_text(entry.size),
        " ".join(to_arguments(changed)),
        entry.note,
    ]


def _reasons(found: list[RunEntry]) -> list[str]:
    """Return a line for each group of runs that are stale, failed or broken for the same reasons."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for entry in found:
        if entry.reasons:
            groups.setdefault((entry.status, *entry.reasons), []).append(entry.run)
    lines = []
    for (status, first, *others), runs in groups.items():
        more = f"; and {len(others)} more" if others else ""
        names = ", ".join(runs[:5]) + (f" and {len(runs) - 5} more" if len(runs) > 5 else "")
        lines.append(f"{status}: {names}: {cut(first, 300)}{more}")
    return lines


@click.command()
@RUN
@click.option("--text", required=True, help="One line; a blank text removes the note.")
@COMPETITION
def note(run: str, text: str, name: str | None) -> None:
    """Write a note about a run, which make runs shows."""
    chosen = load_competition(name or active_competition())
    path = archives.note(chosen.name, run, text)
    terminal.say(
        f"{shown(path)}: {'note saved' if path.exists() else 'no note'}. Next, to see all runs with their notes: make runs{comp_setting(chosen.name)}"
    )


@click.command()
@RUN
@COMPETITION
@AS_JSON
def archive(run: str, name: str | None, as_json: bool) -> None:
    """Move a run out of the way, into outputs/COMPETITION/archived. Its result and its note stay listed."""
    started = time.monotonic()
    chosen = load_competition(name or active_competition())
    users = sorted(dependants(chosen.name, run))
    _report_move(
        archives.archive(chosen.name, run), started, as_json, "archived", "restore", comp_setting(chosen.name)
    )
    if users and not as_json:
        terminal.say(
            f"{', '.join(users)} {'was' if len(users) == 1 else 'were'} made from {run}, and stale until it is restored."
        )


@click.command()
@RUN
@COMPETITION
@AS_JSON
def restore(run: str, name: str | None, as_json: bool) -> None:
    """Move an archived run back, after checking that no file has changed."""
    started = time.monotonic()
    chosen = load_competition(name or active_competition())
    _report_move(
        archives.restore(chosen.name, run), started, as_json, "restored", "archive", comp_setting(chosen.name)
    )


def _report_move(path: Path, started: float, as_json: bool, done: str, back: str, comp: str) -> None:
    files = sum(1 for found in path.rglob("*") if not found.is_dir())
    report: dict[str, Any] = {"run": path.name, "path": shown(path), "files": files, "size": disk_use(path)}
    if as_json:
        click.echo(json.dumps(report))
        return
    terminal.say(
        f"{path.name} {done}: {report['path']}, {files} files, {size_text(report['size'])}, verified, in "
        f"{duration(time.monotonic() - started)}. Next: make runs{comp}\n"
        f"To move it back: make {back} run={path.name}{comp}"
    )
