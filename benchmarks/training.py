"""Compare fit() with Seq2SeqTrainer (small BART) and TRL's SFTTrainer (Gemma 270M, LoRA).

Writes docs/benchmarks-training.md.

    pip install --no-deps --target /tmp/bench-trl trl==1.16.0
    python benchmarks/training.py --trl /tmp/bench-trl

All sides use the same model, data, lengths, optimizer, learning rate, epochs and mean number of rows per step. Each
side runs in a process of its own with one thread, in turn, `--rounds` times. Padding does not count as tokens. The
loss is measured after training, by the same function, on rows that no side has trained on. Peers are set up as their
documentation shows, with batches of 8 rows (4 for Gemma), and once more with their fastest settings: batches of rows of
similar length, bf16, and torch's faster float32 products. Data loader workers would need a second core.

Each run of a side is kept in outputs/benchmarks/training.jsonl, so an interrupted benchmark goes on where it stopped;
`--again` measures everything again. Ratios are of wall time; `cpu` is the processor time of a side, in seconds.
"""

import argparse
import json
import os
import random
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch
from shared import ROOT, child, commit, peak_megabytes, processor, record, rows, spread, table

from common.data.dialogue import clean
from common.models.adapters import add_lora
from common.models.config import LoRAConfig, PretrainedConfig, SmallModelConfig
from common.models.pretrained import load_pretrained
from common.models.small import small_bart
from common.tokenization.batches import collate_causal, collate_seq2seq, token_budget_batches
from common.tokenization.config import LengthConfig
from common.tokenization.examples import training_examples
from common.tokenization.layout import InputTemplate, text_template
from common.tokenization.tokenizer import train_bpe
from common.training.config import TrainingConfig
from common.training.loop import fit
from common.training.losses import cross_entropy

SIZES = {"bart": (400, 80, 8), "gemma": (24, 16, 4)}  # training rows, unseen rows, rows per step
RATE = {"bart": 1e-3, "gemma": 5e-4}
KEPT = ROOT / "outputs" / "benchmarks" / "training.jsonl"
NAMES = {"bart": "Seq2SeqTrainer", "gemma": "SFTTrainer"}
SIDES: dict[str, dict[str, dict[str, Any]]] = {
    "bart": {
        "fit": {},
        "fit, kernels=onednn": {"kernels": "onednn"},
        "fit, precision=bf16": {"precision": "bf16"},
        "Seq2SeqTrainer": {},
        "Seq2SeqTrainer, grouped by length": {"grouped": True},
        "Seq2SeqTrainer, grouped by length, bf16": {"grouped": True, "bf16": True},
        "Seq2SeqTrainer, grouped by length, matmul precision medium": {"grouped": True, "medium": True},
    },
    "gemma": {"fit": {}, "SFTTrainer": {}, "SFTTrainer, packed": {"packed": True}},
}
"""Model → what is compared → its settings; names that begin with "fit" are ours."""


def prepared(kind: str) -> dict[str, Any]:
    """Return model, tokenizer, training and unseen examples; the same on every side."""
    count, unseen, _ = SIZES[kind]
    found, source = rows(count + unseen)
    if kind == "bart":
        texts = [clean(text) for row in found for text in (row.dialogue, *row.summaries)]
        tokenizer = train_bpe(texts, 4000, [])
        torch.manual_seed(0)
        model: Any = small_bart(
            SmallModelConfig(width=256, layers=2, feed_forward=1024, dropout=0.0), tokenizer
        )
        template = InputTemplate(suffix=(tokenizer.eos_token_id,))
    else:
        model, tokenizer = load_pretrained(PretrainedConfig(model="offline:gemma-3-270m"), frozen=True)
        torch.manual_seed(0)
        model = add_lora(model, tokenizer, LoRAConfig(rank=16, alpha=32, dropout=0.0))
        template = text_template(tokenizer, "", "\n요약:\n")
    with tempfile.TemporaryDirectory() as cache:
        data, _ = training_examples(found, tokenizer, LengthConfig(512), template, Path(cache))
        examples = [{"source": e["source"], "target": e["target"]} for e in data]
    return {"model": model, "tokenizer": tokenizer, "data": source,
            "train": examples[:count], "unseen": examples[count:]}  # fmt: skip


def report(kind: str, side: dict[str, Any], seconds: float, cpu: float) -> None:
    """Measure the loss on unseen rows and print the results of a child process as JSON."""
    peak = peak_megabytes()
    model = side["model"].eval()
    collate = collate_seq2seq if kind == "bart" else collate_causal
    loss, tokens = 0.0, 0
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=kind == "gemma"):
        for start in range(0, len(side["unseen"]), 4):
            batch = collate(side["unseen"][start : start + 4], side["tokenizer"].pad_token_id)
            loss += float(cross_entropy(model, batch, 0.0))
            tokens += int((batch["labels"] != -100).sum())
    real = sum(len(e["source"]) + len(e["target"]) for e in side["train"])
    print(json.dumps({"tokens_per_second": real / seconds, "seconds": seconds, "cpu": cpu, "peak": peak,
                      "loss": loss / tokens, "data": side["data"]}))  # fmt: skip


def ours(kind: str, changed: dict[str, Any]) -> None:
    """Run fit() with a token budget that gives as many rows per step, on average, as the peer uses."""
    from datasets import Dataset

    side = prepared(kind)
    lengths = [len(e["source"]) + len(e["target"]) for e in side["train"]]
    wanted = len(lengths) / SIZES[kind][2]
    budget = min(range(512, 16384, 64), key=lambda b: abs(
        len(token_budget_batches(lengths, b, random.Random("0-0"))) - wanted))  # fmt: skip
    collate = collate_seq2seq if kind == "bart" else collate_causal
    config = TrainingConfig(
        epochs=1, tokens_per_batch=budget, learning_rate=RATE[kind], schedule="linear", warmup=0.0, weight_decay=0.0,
        betas=(0.9, 0.999), label_smoothing=0.0, checkpoint_minutes=1e9, **changed,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        began, cpu = time.perf_counter(), time.process_time()
        fit(
            side["model"], Dataset.from_list(side["train"]), partial(collate, pad=side["tokenizer"].pad_token_id),
            lambda _: {"score": 0.0}, config, Path(folder), seed=0, fingerprint="",
            save_best=lambda _model, best, *_: (best / "nothing").touch(),
        )  # fmt: skip
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    report(kind, side, seconds, cpu)


def trainer(kind: str, changed: dict[str, Any]) -> None:
    """Run Seq2SeqTrainer with its own collator, or SFTTrainer with completion-only loss on prompt-completion rows."""
    from datasets import Dataset

    side = prepared(kind)
    tokenizer, size = side["tokenizer"], SIZES[kind][2]
    with tempfile.TemporaryDirectory() as folder:
        settings: dict[str, Any] = {
            "output_dir": folder, "num_train_epochs": 1, "per_device_train_batch_size": size, "report_to": [],
            "learning_rate": RATE[kind], "save_strategy": "no", "logging_strategy": "no", "use_cpu": True, "seed": 0,
            "disable_tqdm": True, "bf16": kind == "gemma" or changed.get("bf16", False),
        }  # fmt: skip
        if changed.get("grouped"):
            settings |= {"train_sampling_strategy": "group_by_length"}
        if changed.get("medium"):
            torch.set_float32_matmul_precision("medium")
        if kind == "bart":
            from transformers import DataCollatorForSeq2Seq, Seq2SeqTrainer, Seq2SeqTrainingArguments

            data = Dataset.from_list([{"input_ids": e["source"], "attention_mask": [1] * len(e["source"]),
                                       "labels": e["target"]} for e in side["train"]])  # fmt: skip
            peer: Any = Seq2SeqTrainer(side["model"], Seq2SeqTrainingArguments(**settings), train_dataset=data,
                                       data_collator=DataCollatorForSeq2Seq(tokenizer, side["model"]))  # fmt: skip
        else:
            from trl import SFTConfig, SFTTrainer

            data = Dataset.from_list([{"input_ids": [*e["source"], *e["target"]],
                                       "completion_mask": [0] * len(e["source"]) + [1] * len(e["target"])}
                                      for e in side["train"]])  # fmt: skip
            config = SFTConfig(
                **settings, max_length=1024, completion_only_loss=True, gradient_checkpointing=False,
                packing=changed.get("packed", False),
            )  # fmt: skip
            peer = SFTTrainer(side["model"], config, train_dataset=data, processing_class=tokenizer)
        began, cpu = time.perf_counter(), time.process_time()
        peer.train()
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    report(kind, side, seconds, cpu)


def measured(kind: str, side: str, round_number: int, trl: str, again: bool) -> dict[str, Any]:
    """Return one run of a side: the kept one of the same commit, processor, data and round, else a new one."""
    key = {"commit": commit(), "processor": processor(), "data": os.environ.get("BENCH_DATA") or rows(1)[1],
           "kind": kind, "side": side, "round": round_number}  # fmt: skip
    if not again and KEPT.exists():
        for line in map(json.loads, KEPT.read_text(encoding="utf-8").splitlines()):
            if all(line.get(name) == value for name, value in key.items()):
                kept: dict[str, Any] = line
                return kept
    found = child(__file__, "--child", side, kind, extra_path=trl)
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    with KEPT.open("a", encoding="utf-8") as file:
        file.write(json.dumps({**key, **found}) + "\n")
    return found


def main() -> None:
    """Run the sides in turn, record the ratios and write the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--trl", default="", help="folder that trl was installed into; without it Gemma is left out"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", nargs=2)
    parser.add_argument("--only", choices=list(SIZES))
    parser.add_argument("--again", action="store_true", help="measure again what was measured before")
    options = parser.parse_args()
    if options.child:
        side, kind = options.child
        (ours if side.startswith("fit") else trainer)(kind, SIDES[kind][side])
        return
    body, data = [], ""
    for kind, sides in SIDES.items():
        if options.only not in (None, kind) or (kind == "gemma" and not options.trl):
            continue
        found: dict[str, list[dict[str, Any]]] = {side: [] for side in sides}
        for number in range(options.rounds):
            for side in sides:
                found[side].append(measured(kind, side, number, options.trl, options.again))
                one = found[side][-1]
                print(f"{kind}, {side}: {one['seconds']:.1f} s, loss {one['loss']:.3f}", flush=True)
        data = found["fit"][0]["data"]
        speeds = {side: [one["tokens_per_second"] for one in runs] for side, runs in found.items()}
        for side, runs in found.items():
            ratios = [own / other for own, other in zip(speeds[side], speeds[NAMES[kind]], strict=True)]
            loss = statistics.median(one["loss"] for one in runs)
            for peer in sides:
                if side.startswith("fit") and not peer.startswith("fit"):
                    against = [own / other for own, other in zip(speeds[side], speeds[peer], strict=True)]
                    theirs = statistics.median(one["loss"] for one in found[peer])
                    record("training", f"{kind}, {side}", peer, against, data, loss=loss, peer_loss=theirs)
            body.append([
                kind, side, f"{statistics.median(speeds[side]):.0f}", spread(ratios),
                f"{statistics.median(one['cpu'] for one in runs):.1f} s",
                f"{statistics.median(one['peak'] for one in runs):.0f} MB", f"{loss:.3f}",
            ])  # fmt: skip
    head = ["model", "loop", "tokens/s", "times as fast as the trainer (min–max)", "processor time", "peak memory",
            "loss on unseen rows"]  # fmt: skip
    text = (
        "# Training compared with its peers\n\nGenerated by `benchmarks/training.py`; do not edit. "
        f"{processor()}. One thread, {options.rounds} rounds, rows of `{data}`.\n\n{table(head, body)}\n"
    )
    (ROOT / "docs" / "benchmarks-training.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
