"""The messages of the repository, collected in a process of their own: a test may have loaded experiments of another one."""

import json
import os
import subprocess
import sys

from tests.support import REPOSITORY

_CODE = "import json, pathlib; from common.cli.messages import sources; print(json.dumps(sources(pathlib.Path.cwd())))"


def all_messages() -> dict[str, list[str]]:
    """Return message → places where it stands."""
    environment = {name: value for name, value in os.environ.items() if name != "KDS_ROOT"}
    done = subprocess.run(
        [sys.executable, "-c", _CODE],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found
