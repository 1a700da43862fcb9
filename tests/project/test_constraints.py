"""What setup.cfg asks for and what the constraints files pin agree, so that every printed install command resolves."""

import configparser
import re

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from common.core import vllm_release
from common.generation.ctranslate2 import INSTALL
from common.models import offline_gemma
from tests.support import REPOSITORY

VLLM = ("numba==0.65.0", "numpy", "torch==2.13.0", "torchaudio==2.11.0", "torchvision==0.28.0",
        "transformers<5.20.0,>=5.16.1", "tokenizers>=0.23.2", "safetensors>=0.6.2")  # fmt: skip
"""What the wheel of vLLM 0.32.0 says it needs, of what training needs too."""


def wanted(*extras: str) -> list[Requirement]:
    """What setup.cfg asks for, with these extras."""
    parser = configparser.ConfigParser()
    parser.read(REPOSITORY / "setup.cfg", encoding="utf-8")
    texts = [parser["options"]["install_requires"], *(parser["options.extras_require"][e] for e in extras)]
    return [Requirement(line) for text in texts for line in text.strip().splitlines()]


def pinned(name: str) -> dict[str, str]:
    """Package → version of a constraints file, which pins each once and exactly."""
    found: dict[str, str] = {}
    for line in (REPOSITORY / name).read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            package, version = line.split("==")
            assert canonicalize_name(package) not in found, line
            found[canonicalize_name(package)] = version
    return found


def unmet(asked: list[Requirement], versions: dict[str, str]) -> list[str]:
    names = [(str(each), versions.get(canonicalize_name(each.name)), each.specifier) for each in asked]
    return [text for text, version, range_ in names if version is None or version not in range_]


@pytest.mark.parametrize(
    ("name", "extras"),
    [
        (
            "constraints.txt",
            ("train", "offline-model", "track", "ctranslate2", "kaggle", "kiwi", "liger", "dev", "audit"),
        ),
        ("constraints-vllm.txt", ("train", "vllm")),
    ],
)
def test_constraints_pin_what_setup_cfg_asks_for(name: str, extras: tuple[str, ...]) -> None:
    assert unmet(wanted(*extras), pinned(name)) == []


def test_vllm_has_a_set_of_its_own() -> None:
    """Its exact pins contradict constraints.txt, which a shared set could not satisfy."""
    needs = [Requirement(text) for text in VLLM]
    assert pinned("constraints-vllm.txt")["vllm"] == "0.32.0"
    assert unmet(needs, pinned("constraints-vllm.txt")) == []
    assert {"numba==0.65.0", "transformers<5.20.0,>=5.16.1"} <= set(unmet(needs, pinned("constraints.txt")))


@pytest.mark.parametrize("command", [INSTALL, offline_gemma.INSTALL, vllm_release.INSTALL])
def test_install_commands_name_a_constraints_file_that_covers_their_extras(command: str) -> None:
    found = re.search(r"pip install -c (\S+) -e '\.\[([\w,-]+)\]'", command)
    assert found is not None, command
    assert unmet(wanted(*found[2].split(",")), pinned(found[1])) == []
