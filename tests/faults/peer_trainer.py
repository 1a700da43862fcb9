"""Train a small BART with the Trainer of transformers, and resume as its documentation says."""

import sys
from pathlib import Path

import torch
from datasets import Dataset
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    Seq2SeqTrainer,
    Seq2SeqTrainingArguments,
    set_seed,
)

STEPS = 24


def model() -> BartForConditionalGeneration:
    """Return a random model of the size of the one in worlds.py."""
    set_seed(7)
    return BartForConditionalGeneration(
        BartConfig(vocab_size=400, d_model=64, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
                   decoder_attention_heads=2, encoder_ffn_dim=64, decoder_ffn_dim=64, max_position_embeddings=64,
                   dropout=0.1, pad_token_id=1, bos_token_id=0, eos_token_id=2, decoder_start_token_id=2,
                   forced_eos_token_id=None)
    )  # fmt: skip


def rows() -> Dataset:
    """Return random rows of equal length."""
    generator = torch.Generator().manual_seed(3)
    tokens = torch.randint(5, 400, (64, 2, 16), generator=generator).tolist()
    return Dataset.from_list([{"input_ids": source, "labels": target} for source, target in tokens])


def main(folder: Path) -> None:
    """Train, or resume from the newest checkpoint if there is one; save the final weights in `folder/best`."""
    arguments = Seq2SeqTrainingArguments(
        output_dir=str(folder / "checkpoints"), max_steps=STEPS, save_strategy="steps", save_steps=1, save_total_limit=2,
        per_device_train_batch_size=8, learning_rate=3e-3, logging_steps=1, report_to=[], use_cpu=True, seed=7,
        disable_tqdm=True,
    )  # fmt: skip
    trainer = Seq2SeqTrainer(model=model(), args=arguments, train_dataset=rows())
    any_checkpoint = any((folder / "checkpoints").glob("checkpoint-*"))
    trainer.train(resume_from_checkpoint=True if any_checkpoint else None)
    trainer.save_model(str(folder / "best"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
