"""Compare decoding with a plain loop of `generate` and Seq2SeqTrainer.predict; write docs/benchmarks-generation.md.

    python benchmarks/generation.py

All sides use one small BART, trained briefly so that its summaries end, greedy decoding and the same sources. The
peers take the sources in file order in batches of 8 rows. One thread, one process, the sides in turn.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from shared import ROOT, processor, record, rows, table
from transformers import DataCollatorForSeq2Seq, GenerationConfig, Seq2SeqTrainer, Seq2SeqTrainingArguments

from common.data.dialogue import clean
from common.generation import resumable
from common.generation.config import DecodingConfig
from common.generation.hf import decode
from common.models.config import SmallModelConfig
from common.models.small import small_bart
from common.tokenization.batches import collate_seq2seq
from common.tokenization.config import LengthConfig
from common.tokenization.examples import training_examples
from common.tokenization.layout import InputTemplate
from common.tokenization.tokenizer import train_bpe
from common.training.config import TrainingConfig
from common.training.loop import fit

LONGEST = 64  # maximum number of new tokens
BATCH = 8


def prepared(count: int) -> tuple[Any, Any, list[list[int]], str]:
    """Return a model that has learned to stop, its tokenizer, the sources to summarize, and the name of the data."""
    found, source = rows(600 + count)
    texts = [clean(text) for row in found for text in (row.dialogue, *row.summaries)]
    tokenizer = train_bpe(texts, 4000, [])
    torch.manual_seed(0)
    model = small_bart(SmallModelConfig(width=256, layers=2, feed_forward=1024, dropout=0.0), tokenizer)
    with tempfile.TemporaryDirectory() as folder:
        template = InputTemplate(suffix=(tokenizer.eos_token_id,))
        data, _ = training_examples(found, tokenizer, LengthConfig(512), template, Path(folder))
        fit(
            model, data.select(range(600)), partial(collate_seq2seq, pad=tokenizer.pad_token_id),
            lambda _: {"score": 0.0}, TrainingConfig(epochs=2, checkpoint_minutes=1e9), Path(folder), seed=0,
            fingerprint="", save_best=lambda _model, best, *_: (best / "nothing").touch(),
        )  # fmt: skip
        sources = [list(source) for source in data["source"][600:]]
    return model.eval(), tokenizer, sources, source


def ours(model: Any, tokenizer: Any, sources: list[list[int]]) -> list[str]:
    """Return the texts decoded as `generation.generate` does, without writing a file."""
    config = DecodingConfig(candidates=1, beams=1, max_new_tokens=LONGEST)
    texts: dict[int, str] = {}
    for group in resumable.batches([len(source) for source in sources], config):
        found = decode(model, tokenizer, [sources[i] for i in group], config, logprobs=False)
        texts |= {i: candidates[0].text for i, candidates in zip(group, found, strict=True)}
    return [texts[i] for i in range(len(sources))]


def loop(model: Any, tokenizer: Any, sources: list[list[int]]) -> list[str]:
    """Return the texts decoded by the loop that tutorials show."""
    texts: list[str] = []
    for start in range(0, len(sources), BATCH):
        batch = tokenizer.pad({"input_ids": sources[start : start + BATCH]}, return_tensors="pt")
        with torch.inference_mode():
            out = model.generate(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"],
                                 max_new_tokens=LONGEST, num_beams=1, do_sample=False)  # fmt: skip
        texts += [text.strip() for text in tokenizer.batch_decode(out, skip_special_tokens=True)]
    return texts


def predict(model: Any, tokenizer: Any, sources: list[list[int]]) -> list[str]:
    """Return the texts decoded by Seq2SeqTrainer.predict."""
    data = Dataset.from_list(
        [{"input_ids": s, "attention_mask": [1] * len(s), "labels": [0]} for s in sources]
    )
    with tempfile.TemporaryDirectory() as folder:
        arguments = Seq2SeqTrainingArguments(
            output_dir=folder, predict_with_generate=True, per_device_eval_batch_size=BATCH, use_cpu=True, report_to=[],
            disable_tqdm=True, generation_config=GenerationConfig(
                max_new_tokens=LONGEST, num_beams=1, do_sample=False, pad_token_id=tokenizer.pad_token_id,
                eos_token_id=tokenizer.eos_token_id, decoder_start_token_id=model.config.decoder_start_token_id),
        )  # fmt: skip
        trainer = Seq2SeqTrainer(model, arguments, data_collator=DataCollatorForSeq2Seq(tokenizer, model))
        ids = trainer.predict(data).predictions
    ids = [[token if token >= 0 else tokenizer.pad_token_id for token in row] for row in ids.tolist()]
    return [text.strip() for text in tokenizer.batch_decode(ids, skip_special_tokens=True)]


def main() -> None:
    """Time the three sides in turn and write the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    model, tokenizer, sources, data = prepared(options.rows)
    sides: dict[str, Callable[[Any, Any, list[list[int]]], list[str]]] = {
        "common.generation": ours, "plain loop of generate": loop, "Seq2SeqTrainer.predict": predict,
    }  # fmt: skip
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    texts: dict[str, list[str]] = {}
    for _ in range(options.rounds):
        for name, side in sides.items():
            began = time.perf_counter()
            texts[name] = side(model, tokenizer, sources)
            seconds[name].append(time.perf_counter() - began)
            print(name, f"{seconds[name][-1]:.1f} s", flush=True)
    body = []
    for name, taken in seconds.items():
        ratios = [b / a for a, b in zip(seconds["common.generation"], taken, strict=True)]
        same = sum(a == b for a, b in zip(texts["common.generation"], texts[name], strict=True))
        if name != "common.generation":
            record("generation", "small BART, greedy", name, ratios, data, same_texts=same, rows=len(sources))
        shown = (
            "–"
            if name == "common.generation"
            else f"{statistics.median(ratios):.1f}× ({min(ratios):.1f}–{max(ratios):.1f})"
        )
        body.append(
            [name, f"{len(sources) / statistics.median(taken):.1f}", shown, f"{same} of {len(sources)}"]
        )
    head = ["decoding", "dialogues/s", "speed-up of ours (min–max)", "same text as ours"]
    text = f"# Generation compared with its peers\n\nGenerated by `benchmarks/generation.py`; do not edit. {processor()}. Small BART, greedy, one thread, {options.rounds} rounds, {len(sources)} dialogues of `{data}`, peers in file order with batches of {BATCH}.\n\n{table(head, body)}\n"
    (ROOT / "docs" / "benchmarks-generation.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
