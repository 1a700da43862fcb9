"""vLLM that is missing or of another release is refused in one line, by what is installed and without importing it."""

import configparser
import re
import sys
from pathlib import Path

import pytest

from common.core import vllm_release
from common.core.errors import UserError
from common.core.vllm_release import INSTALL, VLLM, require_vllm
from tests.support import REPOSITORY


def test_the_release_is_the_one_that_is_installed() -> None:
    pins = (REPOSITORY / "constraints-vllm.txt").read_text(encoding="utf-8")
    assert re.search(rf"(?m)^vllm=={re.escape(VLLM)}\.", pins)
    config = configparser.ConfigParser()
    config.read(REPOSITORY / "setup.cfg", encoding="utf-8")
    extra = config["options.extras_require"]["vllm"]
    assert f"vllm>={VLLM},<" in extra
    assert vllm_release.PLUGIN.replace("_", "-") in extra


@pytest.mark.parametrize(
    ("version", "said"),
    [
        (None, "--engine vllm: the package vllm is not installed in "),
        ("0.19.1", "--engine vllm: vllm '0.19.1' is installed in "),
        ("0.320.0", "--engine vllm: vllm '0.320.0' is installed in "),
        ("1.0", "--engine vllm: vllm '1.0' is installed in "),
        ("0.32.0", ""),
        ("0.32.1+cu130", ""),
    ],
)
def test_another_vllm_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str | None, said: str
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    if version:
        (tmp_path / "vllm").mkdir()
        (tmp_path / "vllm" / "__init__.py").write_text("raise SystemExit('imported')\n")
        info = tmp_path / f"vllm-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}\n")
    if not said:
        require_vllm()
        return
    with pytest.raises(UserError) as refusal:
        require_vllm()
    assert str(refusal.value).startswith(said)
    assert INSTALL in str(refusal.value)
    assert "vllm" not in sys.modules
