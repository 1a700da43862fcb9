"""Client processes of the tests: this one imports what they need once, and forks one for each line of JSON settings."""

import contextlib
import json
import logging
import os
import resource
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

from common import llm
from common.core import signals
from common.core.errors import UserError
from common.core.files import write_json
from tests.support import llm_world


def ask(settings: dict[str, Any]) -> None:
    """Ask, write the answers to settings["out"] and the outcome to stdout."""
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    if "largest_file" in settings:  # a disk that is full
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (settings["largest_file"],) * 2)
    count = settings["count"]
    config = llm_world.config(settings["url"], **settings.get("config", {}))
    check = llm_world.check(count) if settings.get("check", True) else llm_world.no_check
    answers, usage = llm.ask(llm_world.questions(count), config, check, cache=Path(settings["cache"]))
    write_json(Path(settings["out"]), [answer.text for answer in answers])
    sys.stdout.write(json.dumps({"calls": usage.calls, "cached": usage.cached, "failed": usage.failed}))


def child(settings: dict[str, Any]) -> int:
    """Run one client, with `stage` under a stage's signal handlers, and return its exit code; its output goes to files."""
    os.environ["KDS_ROOT"] = str(Path(settings["out"]).parent)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(settings[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    try:
        with signals.raised() if settings.get("stage") else contextlib.nullcontext():
            ask(settings)
        return 0
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 1


def main() -> None:
    """A line {"settings": …} starts a client and is answered by its id; a line {"wait": id} by its exit code."""
    for line in sys.stdin:
        asked = json.loads(line)
        if "wait" in asked:
            _, status = os.waitpid(asked["wait"], 0)
            answer = os.waitstatus_to_exitcode(status)
        else:
            answer = os.fork()
            if answer == 0:
                os._exit(child(asked["settings"]))
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
