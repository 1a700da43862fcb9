"""Compare decoding with transformers and CTranslate2; write docs/benchmarks-generation.md.

    python benchmarks/generation.py

All sides use one small BART, trained briefly so that its summaries end, and the same sources, greedily and with 4 beams.
Two peers take the sources in file order in batches of 8 rows, as tutorials do; one sorts them by length into batches of
32; CTranslate2 sorts them itself. One thread, one process, the sides in turn; seconds are of processor time.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import ctranslate2
import torch
from datasets import Dataset
from shared import ROOT, processor, record, rows, spread, table
from transformers import DataCollatorForSeq2Seq, GenerationConfig, Seq2SeqTrainer, Seq2SeqTrainingArguments

from common.core import verified_folder
from common.data.dialogue import clean
from common.generation import resumable
from common.generation.config import DecodingConfig
from common.generation.ctranslate2 import convert
from common.generation.hf import decode
from common.models.config import SmallModelConfig
from common.models.small import small_bart
from common.models.storage import save_model
from common.runs.candidates import Candidate
from common.tokenization.batches import collate_seq2seq
from common.tokenization.config import LengthConfig
from common.tokenization.examples import training_examples
from common.tokenization.layout import InputTemplate
from common.tokenization.tokenizer import train_bpe
from common.training.config import TrainingConfig
from common.training.loop import fit

Side = Callable[..., list[str]]
OURS = "common.generation"
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


def ours(model: Any, tokenizer: Any, sources: list[list[int]], beams: int) -> list[str]:
    """Return the texts decoded as `generation.generate` does, without writing a file."""
    config = DecodingConfig(candidates=1, beams=beams, max_new_tokens=LONGEST)
    return _batched(partial(decode, model, tokenizer, config=config, logprobs=False), sources, config)


def _batched(
    run: Callable[[list[list[int]]], list[list[Candidate]]], sources: list[list[int]], config: DecodingConfig
) -> list[str]:
    texts: dict[int, str] = {}
    for group in resumable.batches([len(source) for source in sources], config):
        found = run([sources[i] for i in group])
        texts |= {i: candidates[0].text for i, candidates in zip(group, found, strict=True)}
    return [texts[i] for i in range(len(sources))]


def loop(
    model: Any,
    tokenizer: Any,
    sources: list[list[int]],
    beams: int,
    batch_size: int = BATCH,
    grouped: bool = False,
) -> list[str]:
    """Return the texts decoded by the loop that tutorials show; `grouped`: the longest sources first, not in file order."""
    order = sorted(range(len(sources)), key=lambda i: -len(sources[i]) if grouped else i)
    texts: dict[int, str] = {}
    for start in range(0, len(sources), batch_size):
        group = order[start : start + batch_size]
        batch = tokenizer.pad({"input_ids": [sources[i] for i in group]}, return_tensors="pt")
        with torch.inference_mode():
            out = model.generate(
                input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], max_new_tokens=LONGEST,
                num_beams=beams, do_sample=False, early_stopping=beams > 1,
            )  # fmt: skip
        decoded = tokenizer.batch_decode(out, skip_special_tokens=True)
        texts |= {i: text.strip() for i, text in zip(group, decoded, strict=True)}
    return [texts[i] for i in range(len(sources))]


def translated(translator: Any, tokenizer: Any, sources: list[list[int]], beams: int) -> list[str]:
    """Return the texts decoded by CTranslate2, which sorts the sources into batches of 4,096 tokens."""
    results = translator.translate_batch(
        [list(map(str, source)) for source in sources], beam_size=beams, max_decoding_length=LONGEST, max_input_length=0,
        max_batch_size=4096, batch_type="tokens",
    )  # fmt: skip
    ids = [[int(name) for name in result.hypotheses[0]] for result in results]
    return [text.strip() for text in tokenizer.batch_decode(ids, skip_special_tokens=True)]


def predict(model: Any, tokenizer: Any, sources: list[list[int]], beams: int) -> list[str]:
    """Return the texts decoded by Seq2SeqTrainer.predict."""
    data = Dataset.from_list(
        [{"input_ids": s, "attention_mask": [1] * len(s), "labels": [0]} for s in sources]
    )
    with tempfile.TemporaryDirectory() as folder:
        arguments = Seq2SeqTrainingArguments(
            output_dir=folder, predict_with_generate=True, per_device_eval_batch_size=BATCH, use_cpu=True, report_to=[],
            disable_tqdm=True, generation_config=GenerationConfig(
                max_new_tokens=LONGEST, num_beams=beams, do_sample=False, early_stopping=beams > 1, pad_token_id=tokenizer.pad_token_id,
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
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "best"
        verified_folder.save(saved, partial(save_model, model, tokenizer))
        converted = str(convert(saved, "float32"))
        translator = ctranslate2.Translator(
            converted, compute_type="float32", intra_threads=1, inter_threads=1
        )
        sides: dict[str, Side] = {
            OURS: partial(ours, model, tokenizer),
            "loop of generate, file order, batches of 8": partial(loop, model, tokenizer),
            "loop of generate, by length, batches of 32": partial(
                loop, model, tokenizer, batch_size=32, grouped=True
            ),
            "Seq2SeqTrainer.predict, file order, batches of 8": partial(predict, model, tokenizer),
            "CTranslate2, float32": partial(translated, translator, tokenizer),
        }
        body = [line for beams in (1, 4) for line in compared(sides, sources, beams, options.rounds, data)]
    head = ["decoding", "beams", "dialogues/s", "speed-up of ours (min–max)", "same text as ours"]
    text = (
        "# Generation compared with its peers\n\nGenerated by `benchmarks/generation.py`; do not edit. Small BART, one thread "
        f"of {processor()}, processor time, {options.rounds} rounds, {len(sources)} dialogues of `{data}`.\n\n{table(head, body)}\n"
    )
    (ROOT / "docs" / "benchmarks-generation.md").write_text(text, encoding="utf-8")
    print(text)


def compared(
    sides: dict[str, Side], sources: list[list[int]], beams: int, rounds: int, data: str
) -> list[list[str]]:
    """Return the lines of the table for a number of beams, and record the ratios."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    texts: dict[str, list[str]] = {}
    for _ in range(rounds):
        for name, side in sides.items():
            began = time.process_time()
            texts[name] = side(sources=sources, beams=beams)
            seconds[name].append(time.process_time() - began)
            print(name, beams, f"{seconds[name][-1]:.1f} s", flush=True)
    body = []
    for name, taken in seconds.items():
        ratios = [b / a for a, b in zip(seconds[OURS], taken, strict=True)]
        same = sum(a == b for a, b in zip(texts[OURS], texts[name], strict=True))
        if name != OURS:
            row = "small BART, greedy" if beams == 1 else f"small BART, {beams} beams"
            record("generation", row, name, ratios, data, same_texts=same, rows=len(sources))
        shown = "–" if name == OURS else spread(ratios)
        speed = f"{len(sources) / statistics.median(taken):.1f}"
        body.append([name, str(beams), speed, shown, f"{same} of {len(sources)}"])
    return body


if __name__ == "__main__":
    main()
