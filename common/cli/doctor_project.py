"""Checks of `make doctor` on the repository: the competition and its data, git, the ledger and the folders of results."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from common.cli.doctor_check import Check
from common.core.errors import UserError
from common.core.files import existing_parent, kind_of, root, shown
from common.core.paths import cache_folder, outputs


def competition_and_data(name: str | None) -> Iterator[Check]:
    """Check competition.toml and each declared file: rows, hash and warnings."""
    from common.data.competition_file import active_competition, load_competition

    try:
        chosen = load_competition(name or active_competition())
    except UserError as error:
        yield Check("competition", "wrong", _line(error), "make use comp=NAME", True)
        return
    yield Check("competition", "ok", f"{chosen.name}: {chosen.title}", "", True)
    from common.data import checks

    test = None
    for kind in chosen.files:
        path = chosen.path(kind)
        try:
            if not kind_of(path):
                yield Check(kind, "missing", f"{shown(path)} is not there", chosen.obtain, True)
                continue
            checked = checks.check(chosen, kind, path)
            if kind == "test":
                test = checked
            if kind in ("sample", "solution") and test is not None:
                checks.check_same_ids(chosen, kind, checked, test)
        except UserError as error:
            yield Check(kind, "wrong", _line(error), chosen.obtain, True)
        except OSError as error:
            yield Check(
                kind, "wrong", f"{shown(path)}: cannot be read ({error.strerror})", chosen.obtain, True
            )
        else:
            notes = ", ".join(f"{count} × {warning}" for warning, count in checked.warnings.items())
            rows = f"{len(checked.table.records):,} rows, sha256 {checked.sha256[:12]}"
            yield Check(kind, "ok", f"{shown(path)}: {rows}" + (f"; {notes}" if notes else ""), "", True)


def _line(error: UserError) -> str:
    return " ".join(str(error).split())


def git() -> Iterator[Check]:
    """Check the state of git: entries of the ledger and results name the commit."""
    try:
        lines = _git("status", "--porcelain", "--branch")
    except FileNotFoundError:
        yield Check("git", "missing", "not installed; results cannot name their commit", "install git")
        return
    if lines is None:
        yield Check(
            "git", "missing", f"{root()} is no checkout; results cannot name their commit", "git init"
        )
        return
    branch = lines[0].removeprefix("## ").removeprefix("No commits yet on ").partition("...")[0]
    commit = _git("rev-parse", "--short", "HEAD")
    conflicts = [line[3:] for line in lines[1:] if line[:2] in ("DD", "AU", "UD", "UA", "DU", "AA", "UU")]
    if conflicts:
        found = f"conflicts of a merge in {', '.join(conflicts[:3])}{' …' if len(conflicts) > 3 else ''}"
        yield Check("git", "wrong", found, "resolve them, then: git add FILE && git commit", True)
    elif commit is None:
        yield Check(
            "git",
            "missing",
            "no commit yet; results cannot name theirs",
            'git add -A && git commit -m "Start"',
        )
    else:
        changed = len(lines) - 1
        state = (
            f", {changed} changed or new files: submissions are marked *" if changed else ", nothing changed"
        )
        yield Check(
            "git", "ok", f"branch {branch}, commit {commit[0]}{state}", "git status" if changed else ""
        )


def _git(*arguments: str) -> list[str] | None:
    done = subprocess.run(
        ["git", *arguments], cwd=root(), capture_output=True, text=True, errors="replace", check=False
    )
    return done.stdout.splitlines() if done.returncode == 0 else None


def ledger() -> Iterator[Check]:
    """Check that the ledger of submissions can be read, what a merge left undecided in it, and that git can merge it."""
    from common.data.competition_file import load_competition
    from common.submission import ledger

    path = root() / ledger.LEDGER
    if not kind_of(path):
        yield Check("ledger", "ok", "nothing was submitted yet", "", True)
        return
    there = ledger.entries()
    picks = {}
    for name in {entry["competition"] for entry in there}:
        with suppress(UserError):  # a competition that is gone has no limit
            picks[name] = load_competition(name).site.final_picks
    found = ledger.check(picks)
    known = [one.text for one in found if not one.decide]
    count = f"{shown(path)}: {len(there)} submission{'' if len(there) == 1 else 's'}"
    yield Check("ledger", "ok", "; ".join([count, *known]), "", True)
    for one in found:
        if one.decide:
            yield Check("ledger", "wrong", one.text)
    try:
        attribute = _git("check-attr", "merge", "--", ledger.LEDGER)
    except FileNotFoundError:  # `git` reports it
        return
    if attribute and not attribute[0].endswith(": union"):
        yield Check(
            "ledger",
            "missing",
            "git does not merge the ledgers of two machines: .gitattributes has no line for it",
            f"echo '{ledger.LEDGER} text eol=lf merge=union' >> .gitattributes",
        )


def writable(name: str | None) -> Iterator[Check]:
    """Check the folders that commands write to, each by an unnamed file that is gone at once."""
    from common.data.competition_file import active_competition

    try:
        competition = name or active_competition()
    except UserError:  # `competition_and_data` reports it
        competition = ""
    places = [outputs(competition), root() / "submissions", root() / "results" / competition, cache_folder()]
    refused = 0
    for place in places:
        try:
            folder = existing_parent(place)
            if not folder.is_dir():
                raise NotADirectoryError(20, "it is a file, wanted a folder")
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            refused += 1
            fix = (
                f"mv {shown(folder)} {shown(folder)}.old"
                if isinstance(error, NotADirectoryError)
                else f"chmod u+w {shown(folder)}"
            )
            yield Check(
                "writable", "wrong", f"{shown(folder)}: cannot be written ({error.strerror})", fix, True
            )
    if not refused:
        yield Check("writable", "ok", ", ".join(_short(place) for place in places), "", True)


def _short(path: Path) -> str:
    return shown(path).rstrip("/") + "/"
