"""Import what commands need, once, before any of them is forked. Starts no thread and runs no operation of torch."""

import accelerate
import datasets
import numba
import peft
import safetensors.torch
import sklearn.ensemble
import tokenizers
import torch
import torch.distributed
import torch.utils.data
import transformers
from transformers import (
    BartForConditionalGeneration,
    Gemma3ForCausalLM,
    MBartForConditionalGeneration,
    PreTrainedTokenizerFast,
    Qwen2ForCausalLM,
    Seq2SeqTrainer,
)

import common.augment.making
import common.cli
import common.generation.api
import common.generation.engines
import common.generation.hf
import common.generation.inference
import common.llm
import common.models.adapters
import common.models.small
import common.runs
import common.training.fitting
import common.training.own_samples

LOADED = (
    accelerate, datasets, numba, peft, safetensors.torch, sklearn.ensemble, tokenizers, torch, torch.distributed,
    torch.utils.data, transformers, BartForConditionalGeneration, Gemma3ForCausalLM, MBartForConditionalGeneration,
    PreTrainedTokenizerFast, Qwen2ForCausalLM, Seq2SeqTrainer, common.augment.making, common.cli, common.generation.api,
    common.generation.engines, common.generation.hf, common.generation.inference, common.llm, common.models.adapters,
    common.models.small, common.runs, common.training.fitting, common.training.own_samples,
)  # fmt: skip
