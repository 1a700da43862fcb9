"""Whether a run is tracked is decided before it begins; no setting is a secret."""

import json
import shutil
import subprocess
import sys
from dataclasses import fields
from importlib import import_module
from pathlib import Path

import pytest

from common.core import config
from common.core.errors import UserError
from common.runs import experiments, wandb_log
from common.runs.wandb_log import Tracker
from tests.support import REPOSITORY
from tests.support.tracked import KEY, SECRET, environment, files, run


def test_a_secret_given_as_a_setting_is_refused_and_kept_nowhere(repository: Path) -> None:
    shutil.copytree(REPOSITORY / "common", repository / "common")
    before = set(files(repository))
    for word in ("--api-token=", "--wandb_api_key="):
        code, output = run(
            repository, "experiments.exp001.train", "--competition=talk", "--restart", word + SECRET
        )
        assert (code, SECRET in output) == (1, False), output
    new = [path for path in files(repository) if path not in before and "__pycache__" not in path.parts]
    assert not [path for path in new if SECRET.encode() in path.read_bytes()]
    assert wandb_log.public({"hub.api_token": "x", "api_key": "x", "max_new_tokens": 3, "key": 7, "model": "m"}) == {
        "max_new_tokens": 3, "key": 7, "model": "m",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "variables", "smoke", "wanted"),
    [
        ("auto", {}, False, "off"),
        ("auto", {"WANDB_API_KEY": KEY}, False, "online"),
        ("auto", {"WANDB_API_KEY": KEY}, True, "off"),
        ("auto", {"WANDB_API_KEY": KEY, "WANDB_MODE": "offline"}, False, "offline"),
        ("auto", {"WANDB_MODE": "dryrun"}, False, "offline"),
        ("auto", {"WANDB_MODE": "online"}, False, "off"),  # and a line says why
        ("auto", {"WANDB_API_KEY": "too-short"}, False, "off"),
        ("auto", {"NETRC": "netrc"}, False, "online"),
        ("off", {"WANDB_API_KEY": KEY, "WANDB_MODE": "online"}, False, "off"),
        ("offline", {"WANDB_API_KEY": KEY}, True, "offline"),
        ("online", {"WANDB_API_KEY": KEY, "WANDB_MODE": "offline"}, False, "online"),
        ("online", {"WANDB_API_KEY": KEY, "WANDB_MODE": "disabled"}, False, "off"),
        ("online", {"WANDB_API_KEY": KEY, "WANDB_DISABLED": "true"}, False, "off"),
        ("online", {}, False, "no W&B key"),
        ("online", {"WANDB_API_KEY": "too-short"}, False, "cannot be used"),
        ("maybe", {}, False, "wanted off, auto, offline or online"),
    ],
)
def test_the_mode_is_chosen_before_a_run_begins(
    asked: str, variables: dict[str, str], smoke: bool, wanted: str, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text(
        f"machine api.wandb.ai\n  login user\n  password {KEY}\n", encoding="utf-8"
    )
    (tmp_path / "netrc").chmod(0o600)
    code = (
        "import sys; from common.core.errors import UserError; from common.runs.wandb_mode import tracking_mode\n"
        f"try: print(tracking_mode({asked!r}, smoke={smoke}))\n"
        "except UserError as error: print(error)\n"
        "print('wandb' in sys.modules)"
    )
    given = environment(tmp_path / "x", PYTHONPATH=str(REPOSITORY))
    del given["WANDB_API_KEY"]
    ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=given | variables, capture_output=True,
                           text=True, check=True)  # fmt: skip
    *said, imported = ended.stdout.splitlines()
    assert wanted in said[0]
    assert (wanted == said[0]) == (wanted in ("off", "online", "offline"))
    if wanted == "off" and "WANDB_API_KEY" not in variables and "WANDB_MODE" not in variables:
        assert imported == "False"
    assert KEY not in ended.stdout + ended.stderr


def test_what_to_do_without_a_key_is_a_setting_that_the_command_takes(tmp_path: Path) -> None:
    """`make track` calls mode= what `make train` calls track=."""
    folder = tmp_path / "outputs" / "talk" / "exp001"
    folder.mkdir(parents=True)
    parts = (
        "config",
        "data",
        "code",
        "notes",
        "overrides",
        "files",
        "runs",
        "sources",
        "hardware",
        "git",
        "packages",
    )
    record = {"status": "interrupted", **{part: {} for part in parts}, "started": "2026-11-29T10:00:00+00:00"}
    (folder / "run.json").write_text(json.dumps({"train": record}), encoding="utf-8")
    given = environment(tmp_path / "x", PYTHONPATH=str(REPOSITORY), WANDB_MODE="")
    del given["WANDB_API_KEY"]
    ended = subprocess.run([sys.executable, "-m", "common", "track", str(folder)], cwd=tmp_path, env=given,
                           capture_output=True, text=True, check=False)  # fmt: skip
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1), ended.stderr
    assert ended.stderr.startswith("error: mode=online: there is no W&B key; ")
    assert ended.stderr.endswith("or use mode=offline\n")


def test_no_experiment_has_a_secret_among_its_settings() -> None:
    for name in experiments.experiments():
        plain = config.plain(import_module(f"experiments.{name}.config").Config())
        assert wandb_log.public(plain) == plain


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"not a run folder"):
        wandb_log.upload(tmp_path, "offline", texts=False)
    assert [f.name for f in fields(Tracker)][:3] == ["folder", "mode", "texts"]
