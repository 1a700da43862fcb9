"""Several processes share the dialogues, and each runs vLLM on a GPU of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support import REPOSITORY
from tests.support.engines import WORDS, sources_of, template_of
from tests.support.tiny import model

pytestmark = [pytest.mark.usefixtures("place"), pytest.mark.slow]

DRIVER = """
import json, sys
from pathlib import Path
from types import SimpleNamespace
import torch
import vllm
import common.models.storage  # bitsandbytes looks for GPUs when it is imported
from common.core import distributed
from common.generation import resumable
from common.generation.config import DecodingConfig
from common.generation.engines import decoder
from common.tokenization.config import LengthConfig
distributed.wait()  # the group is formed without GPUs
torch.cuda.is_available = lambda: True
torch.cuda.device_count = lambda: 2
torch.cuda.is_bf16_supported = lambda including_emulation: True
torch.cuda.get_device_properties = lambda _: SimpleNamespace(total_memory=2**36)

model, sources, into = Path(sys.argv[1]), json.loads(sys.argv[2]), Path(sys.argv[3])
config = DecodingConfig(candidates=1, beams=1, samples=3, engine="vllm")
run, _ = decoder(model, config, LengthConfig(120))
found = resumable.generate(run, sources, config, into / "dev.jsonl", key="k", seed=1)
(_, _, environment), *calls = vllm.CALLS
(into / f"{distributed.rank()}.json").write_text(json.dumps(
    {"gpus": environment["CUDA_VISIBLE_DEVICES"], "group": sorted({"RANK", "WORLD_SIZE"} & set(environment)),
     "prompts": [len(prompts) for _, prompts, *_ in calls], "found": list(found)}
))
distributed.leave()
"""


def decode(qwen2: Path, into: Path, processes: int) -> list[dict[str, Any]]:
    """Decode with that many processes; return what each one saw."""
    into.mkdir()
    sources = dict(enumerate(sources_of(WORDS, template_of(model("qwen2", WORDS), WORDS), 7)))
    script = into / "driver.py"
    script.write_text(DRIVER, encoding="utf-8")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    paths = os.pathsep.join([str(REPOSITORY / "tests" / "support" / "fake_vllm"), str(REPOSITORY)])
    done = subprocess.run(
        [*command, str(script), str(qwen2), json.dumps(sources), str(into)],
        env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[:6000]
    return [json.loads((into / f"{rank}.json").read_text(encoding="utf-8")) for rank in range(processes)]


def test_two_processes_make_what_one_makes_each_on_its_gpu(qwen2: Path, tmp_path: Path) -> None:
    (alone,) = decode(qwen2, tmp_path / "alone", 1)
    first, second = decode(qwen2, tmp_path / "together", 2)
    assert (alone["gpus"], first["gpus"], second["gpus"]) == ("0", "0", "1")
    assert first["group"] == second["group"] == []
    assert alone["prompts"] == [14]  # a greedy request and one for the samples, of seven dialogues
    assert sorted(first["prompts"] + second["prompts"]) == [6, 8]
    assert first["found"] == second["found"] == [str(number) for number in range(7)]
    files = [(tmp_path / name / "dev.jsonl").read_bytes() for name in ("alone", "together")]
    assert files[0] == files[1]
