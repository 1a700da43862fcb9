"""`.ci/audit` fails when a tool finds something, and when a tool could not look."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support import REPOSITORY

CLEAN = {
    "bandit": "echo 'Total lines of code: 12'",
    "zizmor": "true",
    "pip-audit": "true",
    "kingfisher": "true",
}


def audited(tmp_path: Path, shallow: bool = False, **tools: str) -> subprocess.CompletedProcess[str]:
    """Run the script in an empty repository, with scripts in place of the four tools."""
    for name, script in (CLEAN | {key.replace("_", "-"): value for key, value in tools.items()}).items():
        path = tmp_path / "tools" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/usr/bin/env bash\n{script}\n", encoding="utf-8")
        path.chmod(0o755)
    root = tmp_path / "repository"
    subprocess.run(["git", "init", "--quiet", str(root)], check=True)
    if shallow:
        (root / ".git" / "shallow").write_text(f"{'0' * 40}\n", encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name != "GH_TOKEN"}
    environment |= {"AUDIT_TOOLS": str(tmp_path / "tools"), "AUDIT_ROOT": str(root)}
    script = REPOSITORY / ".ci" / "audit"
    return subprocess.run(["bash", script], env=environment, capture_output=True, text=True, check=False)


def test_it_passes_when_every_tool_looked_and_found_nothing(tmp_path: Path) -> None:
    done = audited(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line for line in done.stdout.splitlines() if line.endswith("nothing found")] == [
        f"{name}: nothing found" for name in CLEAN
    ]


@pytest.mark.parametrize(
    ("tool", "script"),
    [
        ("bandit", "echo 'Total lines of code: 12'; exit 1"),
        ("zizmor", "exit 13"),
        ("pip_audit", "echo 'Found 2 known vulnerabilities in 1 package'; exit 1"),
        ("kingfisher", "exit 200"),
    ],
)
def test_it_fails_when_a_tool_finds_something(tmp_path: Path, tool: str, script: str) -> None:
    done = audited(tmp_path, **{tool: script})
    assert done.returncode == 1
    assert f"error: {tool.replace('_', '-')} found something" in done.stderr
    assert done.stdout.count("nothing found") == 3


@pytest.mark.parametrize(
    ("tool", "script"),
    [
        ("bandit", "echo 'Total lines of code: 0'"),
        ("bandit", "exit 2"),
        ("zizmor", "exit 1"),
        ("pip_audit", "echo 'ERROR: could not be audited' >&2; exit 1"),
        ("kingfisher", "exit 101"),
    ],
)
def test_it_fails_when_a_tool_could_not_look(tmp_path: Path, tool: str, script: str) -> None:
    done = audited(tmp_path, **{tool: script})
    assert done.returncode == 1
    assert f"error: {tool.replace('_', '-')} could not look" in done.stderr


def test_a_missing_tool_and_a_missing_history_are_no_pass(tmp_path: Path) -> None:
    done = audited(tmp_path, shallow=True)
    assert done.returncode == 1
    assert "error: kingfisher could not look" in done.stderr
    (tmp_path / "tools" / "zizmor").unlink()
    environment = {
        **os.environ,
        "AUDIT_TOOLS": str(tmp_path / "tools"),
        "AUDIT_ROOT": str(tmp_path / "repository"),
    }
    script = REPOSITORY / ".ci" / "audit"
    done = subprocess.run(["bash", script], env=environment, capture_output=True, text=True, check=False)
    assert "error: zizmor could not look (exit code 127" in done.stderr
