"""Run sections in a process of their own, which prints each case as a line of JSON as soon as it is measured.

A section that hangs, or that leaves the GPU unusable, then costs no other section: the next one gets a new process.
"""

import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Section:
    """When a section may run."""

    least: float
    """Seconds below which it is not started."""
    most: float
    """Seconds after which it is stopped."""
    tells: str
    """What it measures, for the page."""


SECTIONS: dict[str, Section] = {
    "environment": Section(
        15, 60, "the GPU, the driver and the packages; the speed of matrix products and of the memory"
    ),
    "sameness": Section(
        25, 90, "whether the GPU computes the losses, gradients, tokens and resumed trainings of the CPU"
    ),
    "decoding": Section(
        60, 150, "tokens per second of our decoding, of `generate` in file order and of `generate_batch`"
    ),
    "kobart": Section(
        30, 100, "training of KoBART's shape: `fit`, `fit` with R-Drop, Seq2SeqTrainer"
    ),
    "trl": Section(
        45, 120, "training of a 7B in nf4: `fit` and TRL's SFTTrainer, both with and without Liger"
    ),
    "card24": Section(
        45, 130, "whether 14B models in nf4 train and decode within 23.5 GiB"
    ),
    "qlora": Section(
        40, 120, "training of a 7B in nf4 at two token budgets, with and without gradient checkpointing"
    ),
    "compiled": Section(
        60, 150, "tokens per second of our decoding with `--compiled true`, and how long compiling takes"
    ),
}  # fmt: skip
"""The sections in the order in which they run; the last ones are skipped first when time is short."""


def work(*, tiny: bool, trl: str) -> None:
    """Run the sections named on stdin, one in each line, and print what they report, one JSON object in each line.

    First {"ready": true, "gpu": …}; for each section {"case", "found"} for each of its cases, then {"ended": true,
    "seconds"} with the exception that ended the section, if one did; after an exception this process ends.
    """
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # libraries print to stdout
    os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", WANDB_MODE="disabled")
    os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # equal results of equal products
    # transformers' Trainer would spread the rows over all GPUs that it sees.
    os.environ["CUDA_VISIBLE_DEVICES"] = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    if trl:
        sys.path.append(trl)

    def say(**line: Any) -> None:
        out.write(json.dumps(line) + "\n")
        out.flush()

    from gpu_sections import checks, decoding, training
    from gpu_sections.loops import fresh_precision
    from gpu_sections.parts import Bench, device, failure, free_memory

    functions = {
        "environment": checks.environment, "sameness": checks.sameness, "kobart": training.kobart, "trl": training.trl,
        "qlora": training.qlora_7b, "decoding": decoding.decoding, "card24": decoding.card24,
        "compiled": decoding.compiled,
    }  # fmt: skip
    say(ready=True, gpu=device().type == "cuda")
    for line in sys.stdin:
        began = time.monotonic()
        problem: dict[str, Any] = {}
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(tiny, Path(folder), lambda case, found: say(case=case, found=found))
            try:
                functions[line.strip()](bench)
            except Exception as error:
                problem = failure(error)
        say(ended=True, seconds=round(time.monotonic() - began, 1), **problem)
        if problem:
            sys.exit(1)
        free_memory()
        fresh_precision()
