"""Models are found by name: in a hub that a loopback server plays, in its cache without any network, or refused."""

import socket
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, BertConfig

from common.models.weight_files import CARD
from tests.support import architectures
from tests.support.hub_server import (
    COMMIT,
    DYING,
    FAKES,
    TOKEN,
    Home,
    Hub,
    Original,
    closed_port,
    logits,
    names,
    pickled,
    served,
)


def test_a_hub_model_is_downloaded_once_and_then_found_offline(original: Original, tmp_path: Path) -> None:
    files = (
        original.safe | FAKES | {"pytorch_model.bin": b"not wanted", "pytorch_model.bin.index.json": b"{}"}
    )
    with served(Hub({"team/tiny": files})) as it:
        home = Home(tmp_path, it.url)
        source = home.locate("team/tiny")
        assert (source.name, source.commit) == ("team/tiny", COMMIT)
        assert names(source.folder) == {*original.safe, CARD}
        asked = len(it.requests)
        assert home.locate("team/tiny") == source
        assert home.locate("team/tiny", COMMIT) == source
        assert len(it.requests) == asked  # the cache is asked first
    offline = Home(tmp_path, closed_port())
    assert offline.locate("team/tiny") == source
    assert offline.locate("team/tiny", HF_HUB_OFFLINE="1") == source
    model = AutoModelForSeq2SeqLM.from_pretrained(source.folder)
    assert torch.equal(logits(model), original.logits())
    assert AutoTokenizer.from_pretrained(source.folder).encode("우산 어디서 살까요?")
    assert home.models() == []


@pytest.mark.slow
def test_what_cannot_be_used_is_refused_before_its_weights_are_fetched(
    original: Original, tmp_path: Path
) -> None:
    bert = original.safe | {
        "config.json": BertConfig(architectures=["BertForMaskedLM"]).to_json_string().encode()
    }
    with served(Hub({"team/bart": original.safe, "team/bert": bert})) as it:
        home = Home(tmp_path, it.url)
        assert "wanted a decoder-only language model" in home.refusal("team/bart", "main", "causal")
        assert "BertForMaskedLM cannot generate text" in home.refusal("team/bert")
        assert not [asked for asked in it.requests if "safetensors" in asked]
        assert names(home.locate("team/bart", "main", "seq2seq").folder) == set(original.safe)


EXPERTS_IN_4_BITS = """
from common.models import hub, pretrained
from common.models.config import PretrainedConfig
real = hub.locate
def locate(name):
    hub.locate = real
    return pretrained.locate(PretrainedConfig(model=name, quantization="nf4"))
hub.locate = locate
"""


@pytest.mark.slow
def test_settings_that_a_model_does_not_support_are_refused_before_its_weights_are_fetched(
    original: Original, tmp_path: Path
) -> None:
    config = architectures.BUILD["qwen3_moe"]().config.to_json_string(use_diff=False).encode()
    with served(Hub({"team/moe": original.safe | {"config.json": config}})) as it:
        found = Home(tmp_path, it.url).refusal("team/moe", before=EXPERTS_IN_4_BITS)
        assert "--quantization nf4: bitsandbytes cannot quantize the experts of Qwen3MoeForCausalLM" in found
        assert not [asked for asked in it.requests if "safetensors" in asked]


@pytest.mark.slow
def test_an_unfinished_download_is_finished(original: Original, tmp_path: Path) -> None:
    with served(Hub({"team/tiny": original.safe})) as it:
        home = Home(tmp_path, it.url)
        source = home.locate("team/tiny", COMMIT)
        for lost in ("tokenizer_config.json", "model.safetensors"):
            (source.folder / lost).unlink()
            assert "team/tiny" in Home(tmp_path, closed_port()).refusal("team/tiny", COMMIT)
            assert home.locate("team/tiny", COMMIT) == source
            assert names(source.folder) == set(original.safe)


REFUSALS: dict[str, tuple[tuple[str, ...], dict[str, tuple[int, str]], str]] = {
    "unknown": (("team/none",), {}, "hub model team/none: the hub has no model of that name, or it is private (404)"),
    "private": (("team/tiny",), {"team/tiny": (401, "RepoNotFound")}, "put a token with read access into HF_TOKEN"),
    "gated, no token": (
        ("team/tiny",), {"team/tiny": (401, "GatedRepo")},
        "gated, and the hub denied access to this account (401); accept the terms at https://huggingface.co/team/tiny",
    ),
    "gated, not granted": (("team/tiny",), {"team/tiny": (403, "GatedRepo")}, "denied access to this account (403)"),
    "revision": (
        ("team/tiny", "v9"), {},
        "hub model team/tiny at revision v9: the hub has the model, but not that revision",
    ),
    "commit": (("team/tiny", "f" * 40), {}, "the hub has the model, but not that revision"),
    "forbidden": (("team/tiny",), {"team/tiny": (403, "")}, "answered 403; check HF_TOKEN"),
    "down": (("team/tiny",), {"team/tiny": (503, "")}, "answered 503; try again later"),
    "adapter": (("team/adapter",), {}, "hub model team/adapter: a LoRA adapter (use its base model); wanted config"),
    "gguf": (("team/gguf",), {}, "not a model for transformers; wanted config.json, a tokenizer"),
    "no tokenizer": (("team/mute",), {}, "hub model team/mute: it has no tokenizer"),
    "neither": (("tiny",), {}, "model 'tiny': neither an existing folder nor a hub id; wanted a folder with"),
    "path": (("outputs/none/there",), {}, "neither an existing folder nor a hub id"),
    "offline": (("offline:gemma-4",), {}, "or offline:gemma-3-270m"),
    "bad id": (("team/a--b",), {}, "model 'team/a--b': neither an existing folder nor a hub id"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS)
def test_what_the_hub_refuses_is_one_line_with_the_way_out(
    original: Original, tmp_path: Path, case: str
) -> None:
    words, refusals, message = REFUSALS[case]
    repositories = {
        "team/tiny": original.safe,
        "team/adapter": {"adapter_config.json": b"{}", "adapter_model.safetensors": b"x"},
        "team/gguf": {"tiny.gguf": b"gguf", "config.json": b"{}"},
        "team/mute": {"config.json": b"{}", "model.safetensors": original.safe["model.safetensors"]},
    }
    with served(Hub(repositories, refusals)) as it:
        assert message in Home(tmp_path, it.url).refusal(*words, HF_TOKEN=TOKEN)
        assert it.tokens <= {f"Bearer {TOKEN}"}
    assert not list(tmp_path.rglob("*.safetensors"))


def test_without_a_network_the_refusal_is_quick(tmp_path: Path) -> None:
    endpoint = closed_port()
    line = Home(tmp_path, endpoint).refusal("team/tiny")
    assert f"not in the local cache, and the hub at {endpoint} cannot be reached (ConnectError)" in line
    assert 'args="--model FOLDER"' in line
    assert "HF_HUB_OFFLINE forbids" in Home(tmp_path, endpoint).refusal("team/tiny", HF_HUB_OFFLINE="1")
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, never answers
        home = Home(tmp_path, f"http://127.0.0.1:{silent.getsockname()[1]}")
        line = home.refusal("team/tiny", before="from common.models import hub; hub.SECONDS = 0.3\n")
        assert "cannot be reached (ReadTimeout)" in line


def test_a_token_that_is_none_is_not_printed(tmp_path: Path) -> None:
    line = Home(tmp_path, closed_port()).refusal("team/tiny", HF_TOKEN="여기에-토큰")
    assert "HF_TOKEN contains characters that are not allowed in a token" in line
    assert "토큰" not in line


LIMITED = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
"""
FULL = """
import collections, shutil
usage = collections.namedtuple("usage", "total used free")
shutil.disk_usage = lambda path: usage(9, 9, 9)
"""


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(original: Original, tmp_path: Path) -> None:
    weights = {"pytorch_model.bin": pickled(original.model.state_dict(), tmp_path)}
    assert len(original.safe["model.safetensors"]) > 100_000
    with served(Hub({"team/tiny": original.safe, "team/old": original.bare | weights})) as it:
        home = Home(tmp_path, it.url)
        assert " are free there; make room" in home.refusal("team/tiny", before=FULL)
        assert not list(tmp_path.rglob("*.safetensors"))
        line = home.refusal("team/tiny", before=LIMITED)
        assert f"writing to {tmp_path / 'hf' / 'hub'} failed" in line
        assert "File too large" in line
        assert not [*tmp_path.rglob("*.safetensors"), *tmp_path.rglob("*.incomplete")]
        assert names(home.locate("team/tiny").folder) == set(original.safe)
        full = DYING.replace("os.kill(os.getpid(), 9)", "raise OSError(28, 'No space left on device')")
        line = home.refusal("team/old", before=full)
        assert "No space left on device" in line
        assert home.models() == []
        line = home.refusal("team/old", before=LIMITED)  # its pickled file is there by now
        assert "converting the model failed" in line
        assert "KDS_MODEL_CACHE" in line
        assert home.models() == []
        assert home.locate("team/old").commit == COMMIT
