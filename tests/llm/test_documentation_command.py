"""`make docs` from the command line."""

import json
import re
import subprocess
import sys
from pathlib import Path

from common.llm import documentation
from tests.support import REPOSITORY
from tests.support.commands import environment_without_make
from tests.support.context7_server import (
    KEY,
    QUESTION,
    SHOWN,
    Server,
    cached,
    config,
    served,
    today,
)


def started(root: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **environment_without_make(),
        **variables,
        "KDS_ROOT": str(root),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )


def make(root: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    venv = Path(sys.prefix)
    return started(root, "make", f"VENV={venv}", "-o", str(venv / "ready"), *words, **variables)


def test_make_docs_end_to_end(server: Server, root: Path) -> None:
    settings = {"CONTEXT7_BASE_URL": server.url + "/", "CONTEXT7_API_KEY": f" {KEY} "}
    first = make(root, "docs", f"q={QUESTION}", **settings)
    assert (first.returncode, first.stderr, today(first.stdout)) == (0, "", SHOWN + "\n")
    assert server.keys == [f"Bearer {KEY}"] * 2
    again = make(root, "docs", f"q={QUESTION}", "fresh=0", **settings)
    assert (again.stdout, len(server.asked)) == (first.stdout, 2)
    nasty = '--help "x" $(shell touch PWNED) `touch PWNED`'
    named = make(root, "docs", f"q={nasty}", "lib=/a/b", "fresh=1", **settings)
    assert (named.returncode, named.stderr) == (0, "")
    assert server.asked[2:] == [("/api/v2/context", {"libraryId": "/a/b", "query": nasty, "type": "json"})]
    assert not list(REPOSITORY.glob("PWNED"))
    assert KEY not in "".join(path.read_text(encoding="utf-8") for path in cached(root))


def test_the_command_without_a_network_says_so_once_and_gives_what_it_has(root: Path) -> None:
    with served(Server()) as server:
        documentation.lookup(QUESTION, config=config(server))
    command = [sys.executable, "-m", "common", "docs", "--query"]
    kept = started(root, *command, QUESTION, "--fresh", CONTEXT7_BASE_URL=server.url)
    assert (kept.returncode, today(kept.stdout)) == (0, SHOWN + "\n")
    assert re.fullmatch(r"warning: Context7 .* cannot be reached .* cached answer of [\d-]+\.\n", kept.stderr)
    none = started(root, *command, "새 질문", CONTEXT7_BASE_URL=server.url)
    assert (none.returncode, none.stdout) == (1, "")
    assert re.fullmatch(r"error: Context7 .* cannot be reached .*\n", none.stderr)


def test_make_docs_without_a_question_is_one_line(root: Path) -> None:
    ended = make(root, "docs")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert re.fullmatch(
        r'error: q= is missing; for example: make docs q="[^"]+"\nmake(?:\[\d+\])?: .* Error 2\n',
        ended.stderr,
    )


def test_the_lookup_stays_light_and_prompts_stay_without_it() -> None:
    code = "import json, sys, {}; print(json.dumps(sorted(sys.modules)))"
    for module, absent in (("common.prompts, common.cli", {"requests", "torch"}), ("common.llm.documentation", {"torch", "transformers"})):  # fmt: skip
        ended = subprocess.run(
            [sys.executable, "-c", code.format(module)], capture_output=True, text=True, check=True
        )
        assert set(json.loads(ended.stdout)) & absent == set()
