"""`doctor` in real processes: what is missing or wrong, the command that fixes it, the exit code, and no secret."""

import configparser
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from common.cli import doctor_extras, doctor_machine
from common.core.vllm_release import INSTALL
from tests.cli.test_terminal import cells, in_terminal, plain
from tests.support import REPOSITORY
from tests.support.commands import Ended, files, make, started

# Stands in for torch in a folder of PYTHONPATH, so that no test waits for the real import.
CPU_TORCH = """
__version__ = "2.0"
class version:
    cuda = None
class cuda:
    is_available = staticmethod(lambda: False)
"""
GPU_TORCH = """
import contextlib
__version__ = "2.0"
class version:
    cuda = "12.4"
class _Sum:
    def __matmul__(self, other):
        {multiply}
    def sum(self):
        return 1.0
def ones(*shape, device):
    return _Sum()
class cuda:
    is_available = staticmethod(lambda: True)
    device_count = staticmethod(lambda: 1)
    device = staticmethod(lambda number: contextlib.nullcontext())
    mem_get_info = staticmethod(lambda: ({free} * 2**30, 24 * 2**30))
    get_device_name = staticmethod(lambda number: "Card")
    is_bf16_supported = staticmethod(lambda including_emulation: {bf16})
"""
KEY = "up_0123456789abcdefABCDEF"


@pytest.fixture
def stubs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder before all others on the path, with a torch without GPUs; the hub is a closed port of this machine."""
    folder = tmp_path / "stubs"
    folder.mkdir()
    (folder / "torch.py").write_text(CPU_TORCH)
    for module in ("bitsandbytes", "wandb", "ctranslate2"):
        (folder / f"{module}.py").touch()
    (folder / "bitsandbytes.py").write_text("raise ImportError('no kernel for this machine')\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    for name in (
        "HF_TOKEN",
        "HF_HOME",
        "SOLAR_API_KEY",
        "CONTEXT7_API_KEY",
        "WANDB_API_KEY",
        "NETRC",
        "HF_HUB_OFFLINE",
    ):
        monkeypatch.delenv(name, raising=False)
    return folder


def doctor(repository: Path, stubs: Path, *words: str, **variables: str) -> Ended:
    path = f"{stubs}:{Path(__file__).parents[2]}"
    return started(repository, sys.executable, "-m", "common", "doctor", *words, PYTHONPATH=path, **variables)


def found(ended: Ended) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in json.loads(ended.stdout)["checks"]}


def test_a_machine_that_lacks_only_extras_is_ready_and_nothing_is_written(
    repository: Path, stubs: Path
) -> None:
    before = files(repository)
    ended = doctor(repository, stubs)
    assert (ended.returncode, ended.stderr) == (0, ""), ended
    lines = ended.stdout.splitlines()
    assert all(line.split()[0] in ("ok", "missing", "wrong") for line in lines[:-2])
    assert lines[-1].startswith("Ready.")
    assert all(" → " in line for line in lines[:-2] if not line.startswith("ok"))
    checks = found(doctor(repository, stubs, "--json"))
    assert checks["train"]["found"].startswith("competitions/talk/data/train.csv: 3 rows, sha256 ")
    assert checks["torch"]["found"] == "2.0, CPU build"
    assert "ImportError: no kernel for this machine" in checks["bitsandbytes"]["found"]
    assert checks["hub"]["status"] == "wrong" and "127.0.0.1:9 cannot be reached" in checks["hub"]["found"]
    assert files(repository) == before


@pytest.mark.parametrize("language", ["en", "ko"])
def test_every_line_fits_the_terminal_and_says_what_a_pipe_gets(
    repository: Path, stubs: Path, language: str
) -> None:
    path = f"{stubs}:{Path(__file__).parents[2]}"
    text = plain(in_terminal(repository, 80, ("doctor",), KDS_LANG=language, PYTHONPATH=path))
    for line in text.splitlines():
        assert cells(line) <= 80 or " " not in line.strip(), line  # a long path is not broken
    words = " ".join(text.split())
    commands = (
        ".venv-vllm/bin/pip install -c constraints-vllm.txt -e '.[train,vllm]'",
        ".venv/bin/wandb login",
    )
    broken = [command for command in commands if not any(command in line for line in text.splitlines())]
    assert not broken, text
    measured = ("memory", "disk", "CPU")  # may change between two calls
    for line in doctor(repository, stubs, KDS_LANG=language).stdout.splitlines():
        if line and line.split()[1] not in measured:
            assert " ".join(line.split()) in words, line


def test_what_the_usual_commands_need_stops_them(repository: Path, stubs: Path) -> None:
    data = repository / "competitions" / "talk" / "data"
    (data / "train.csv").unlink()
    (data / "dev.csv").write_text("fname,dialogue\n")
    (stubs / "torch.py").write_text("raise ModuleNotFoundError('x', name='torch')\n")
    (repository / "submissions" / "ledger.jsonl").write_text("{\n")
    ended = doctor(repository, stubs, "--json")
    assert ended.returncode == 1
    checks = found(ended)
    stops = {name: (check["status"], check["fix"]) for name, check in checks.items() if check["stops"]}
    assert stops["train"] == ("missing", "make data comp=talk from=PATH")
    assert stops["dev"] == ("wrong", "make data comp=talk from=PATH")
    assert stops["torch"][0] == "missing" and "pip install" in stops["torch"][1]
    assert set(stops) == {"train", "dev", "torch", "ledger"}
    assert checks["test"]["status"] == "ok"
    assert "Not ready: fix train, dev, ledger, torch first" in doctor(repository, stubs).stdout


def test_a_torch_that_crashes_is_a_finding(repository: Path, stubs: Path) -> None:
    (stubs / "torch.py").write_text("import os\nos._exit(9)\n")
    checks = found(doctor(repository, stubs, "--json"))
    assert checks["torch"]["found"] == "its import ended Python with exit code 9"
    assert checks["wandb"]["status"] == "wrong"


@pytest.mark.parametrize(
    ("gpu", "status", "text"),
    [
        ({"free": 20, "bf16": True}, "ok", "Card, 24 GB, 20 GB free, bf16"),
        ({"free": 20, "bf16": False}, "ok", "no bf16: trains in fp16"),
        ({"free": 2, "bf16": True}, "wrong", "another program holds the rest"),
        (
            {"free": 20, "bf16": True, "multiply": "raise RuntimeError('no kernel image')"},
            "wrong",
            "no kernel image",
        ),
    ],
)
def test_the_gpu_is_tried(
    stubs: Path, monkeypatch: pytest.MonkeyPatch, gpu: dict[str, Any], status: str, text: str
) -> None:
    (stubs / "torch.py").write_text(GPU_TORCH.format(**{"multiply": "return self", **gpu}))
    # The probe takes torch from the stubs; the extras would import a torch that is none.
    monkeypatch.setenv("PYTHONPATH", str(stubs))
    monkeypatch.setattr(doctor_extras, "EXTRAS", {})
    checks = {
        check.name: check
        for check in doctor_machine.torch(doctor_machine.probed(doctor_machine.start_probe()))
    }
    assert (checks["GPU"].status, text in checks["GPU"].found) == (status, True), checks


def test_keys_are_found_where_they_are_read_and_never_shown(repository: Path, stubs: Path) -> None:
    (repository / ".env").write_text(f"SOLAR_API_KEY={KEY}\nHF_TOKEN={KEY}\nWANDB_API_KEY={KEY}\n")
    ended = doctor(repository, stubs, "--json", CONTEXT7_API_KEY=f"{KEY} {KEY}")
    checks = found(ended)
    assert (checks["SOLAR_API_KEY"]["status"], checks["SOLAR_API_KEY"]["found"]) == (
        "ok",
        "present (in .env)",
    )
    assert checks["CONTEXT7_API_KEY"]["status"] == "wrong"
    assert ".env, where the hub's library does not look" in checks["hub token"]["found"]
    assert ".env, where wandb does not look" in checks["WANDB_API_KEY"]["found"]
    assert (
        "HF_TOKEN in the environment"
        in found(doctor(repository, stubs, "--json", HF_TOKEN=KEY))["hub token"]["found"]
    )
    assert KEY not in ended.stdout + ended.stderr


def test_make_doctor_names_setup_in_a_python_without_packages(repository: Path) -> None:
    ended = make(repository, "doctor", "VENV=nowhere", "PYTHON=" + sys.executable + " -S -E")
    assert ended.returncode == 2
    assert "Run: make setup" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_every_extra_says_what_it_is_for_and_how_to_install_it() -> None:
    config = configparser.ConfigParser()
    config.read(REPOSITORY / "setup.cfg", encoding="utf-8")
    extras = config["options.extras_require"]
    shown = {extra.name for extra in doctor_extras.EXTRAS.values()}
    assert shown | {"vllm", "audit", "dev"} == set(extras)  # two are for who works on the code
    for extra in doctor_extras.EXTRAS.values():
        assert re.search(rf"(?m)^{re.escape(extra.package)}\b", extras[extra.name].replace("_", "-")), extra


def test_extras_that_are_not_there_or_must_not_be_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_extras, "find_spec", lambda module: None if module != "kaggle" else object())
    checks = {check.name: check for check in doctor_extras.extras({})}
    for name, extra, use in (
        ("liger", "liger", "--kernels liger"),
        ("optuna", "sweep", "sweeps"),
        ("psycopg", "sweep", "sweeps"),
        ("wandb", "track", "track=online"),
    ):
        assert checks[name].status == "missing"
        assert use in checks[name].found
        assert checks[name].fix == f".venv/bin/pip install -c constraints.txt -e '.[{extra}]'"
    assert checks["kaggle"].status == "ok"
    assert "kaggle" not in doctor_extras.tried()  # its import logs in
    assert not any(check.stops for check in checks.values())


@pytest.mark.parametrize(
    ("packages", "status", "text"),
    [
        ((), "missing", "not installed; for --engine vllm"),
        (("vllm-0.32.0",), "wrong", "without vllm-bnb-plugin; for --engine vllm with 4-bit weights"),
        (("vllm-0.19.1", "vllm_bnb_plugin-0.0.3"), "wrong", "0.19.1 in .venv-vllm, wanted 0.32"),
        (("vllm-0.32.0", "vllm_bnb_plugin-0.0.3"), "ok", "0.32.0 in .venv-vllm"),
    ],
)
def test_vllm_and_its_plugin_are_looked_for_in_their_own_environment(
    repository: Path, packages: tuple[str, ...], status: str, text: str
) -> None:
    for name in packages:
        (repository / f".venv-vllm/lib/python3.11/site-packages/{name}.dist-info").mkdir(parents=True)
    check = list(doctor_extras.extras({}))[-1]
    assert (check.name, check.status) == ("vllm", status)
    assert text in check.found
    assert (check.fix == "") == (status == "ok")
    assert status == "ok" or check.fix == INSTALL
