"""Translate with m2m100, NLLB or mBART-50, through transformers or CTranslate2. Imports torch."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from common.augment.translation import Language, Translator, TranslatorConfig, require_accepted
from common.core.errors import UserError
from common.core.files import read_json, shown
from common.core.memory import advise_when_out_of_memory
from common.generation.config import DecodingConfig
from common.generation.halving import Fitting
from common.generation.hf import decode
from common.models.architecture import require_architecture
from common.models.config import PREFIX, PretrainedConfig
from common.models.pretrained import load_pretrained, locate, pretrained_tokenizer, source_record
from common.tokenization.batches import token_budget_batches

log = logging.getLogger(__name__)

TOKENS: tuple[dict[Language, str], ...] = (
    {"ko": "__ko__", "en": "__en__"},
    {"ko": "kor_Hang", "en": "eng_Latn"},
    {"ko": "ko_KR", "en": "en_XX"},
)
"""The language tokens of m2m100, NLLB and mBART-50. A source starts with its language token and ends with the end token;
a translation starts with its language token. Source: the tokenizers of these models in transformers."""

TINY = ("tiny:m2m100", "tiny:nllb", "tiny:mbart")
Generate = Callable[[Sequence[Sequence[int]], int, int], list[str]]
"""(sources as token ids, id of the target language, maximum number of new tokens) → texts."""


@dataclass(frozen=True)
class Loaded:
    """A translator and its origin."""

    translate: Translator
    record: dict[str, str | None]
    """Model, commit and config_sha256, from `models.pretrained.source_record`."""


def load(config: TranslatorConfig) -> Loaded:
    """Return the configured translator; missing weights are downloaded, and converted for CTranslate2.

    Raises UserError if the weights are unavailable, if they do not translate between Korean and English, or if their
    licence forbids commercial use and was not accepted.
    """
    require_licence(config)
    if config.model.startswith(PREFIX) and config.model not in TINY:
        raise UserError(
            f"--model {config.model}: there is no such tiny model; choose one of {', '.join(TINY)}."
        )
    found = PretrainedConfig(model=config.model, revision=config.revision, dtype="float32")
    source = locate(found)
    require_architecture(source.folder, "seq2seq")
    require_licence(config, source.folder)
    tokenizer = pretrained_tokenizer(source.folder)
    languages = language_ids(tokenizer, source.folder)
    if config.engine == "ctranslate2":
        from common.generation import ctranslate2

        generate = partial(
            _by_ct2, ctranslate2.translation(source.folder, config.ct2_weights), tokenizer, config
        )
    else:
        model, _ = load_pretrained(found, "seq2seq", frozen=True)
        generate = partial(_by_hf, model.eval(), tokenizer, config)
    translate = partial(_translate, tokenizer, languages, generate, Fitting(), config)
    return Loaded(translate, source_record(source))


def require_licence(config: TranslatorConfig, folder: Path | None = None) -> None:
    """Raise UserError if the model is an NLLB model and its licence was not accepted; log an accepted licence.

    With `folder`, its config.json and tokenizer are checked too, which finds renamed copies.
    """
    names = [config.model]
    if folder is not None:
        names += [str(read_json(folder / "config.json").get("_name_or_path", ""))]
        names += ["nllb"] if _speaks(pretrained_tokenizer(folder), TOKENS[1]) else []
    if require_accepted(config, names) and folder is None:
        log.info("%s: licence CC-BY-NC-4.0 accepted; not for commercial use.", config.model)


def language_ids(tokenizer: PreTrainedTokenizerBase, folder: Path) -> dict[Language, int]:
    """Return the ids of the language tokens. Raises UserError if the model lacks one of them."""
    for spelling in TOKENS:
        if _speaks(tokenizer, spelling):
            return {language: tokenizer.convert_tokens_to_ids(token) for language, token in spelling.items()}
    wanted = "; ".join(" and ".join(spelling.values()) for spelling in TOKENS)
    raise UserError(
        f"{shown(folder)}: has no language tokens for Korean and English ({wanted}), so it does not translate between them. "
        "Choose an m2m100, NLLB or mBART-50 many-to-many model: --model facebook/m2m100_418M"
    )


def _speaks(tokenizer: PreTrainedTokenizerBase, spelling: dict[Language, str]) -> bool:
    # A missing token gets the id of the unknown token, or None.
    ids = [tokenizer.convert_tokens_to_ids(token) for token in spelling.values()]
    return all(i is not None and tokenizer.convert_ids_to_tokens(i) in spelling.values() for i in ids)


def _translate(
    tokenizer: PreTrainedTokenizerBase,
    languages: dict[Language, int],
    generate: Generate,
    fitting: Fitting,
    config: TranslatorConfig,
    texts: Sequence[str],
    source: Language,
    target: Language,
) -> list[str]:
    end = tokenizer.eos_token_id
    sources = [[languages[source], *tokenizer.encode(text, add_special_tokens=False), end] for text in texts]
    found = [""] * len(texts)
    costs = [(len(ids) + _longest([ids], config)) * config.beams for ids in sources]
    for group in token_budget_batches(costs, config.tokens_at_once, rng=None):
        batch = [sources[place] for place in group]
        answers = _in_parts(batch, generate, fitting, languages[target], config)
        for place, text in zip(group, answers, strict=True):
            found[place] = text
    return found


def _in_parts(
    batch: Sequence[Sequence[int]],
    generate: Generate,
    fitting: Fitting,
    target: int,
    config: TranslatorConfig,
) -> list[str]:
    """Return the translations of a batch, in parts when it does not fit into memory.

    Raises UserError when one text alone does not fit.
    """
    longest = _longest(batch, config)  # of the whole batch, so that the parts do not change a translation
    with advise_when_out_of_memory(
        "one text alone does not fit: use fewer --beams, a lower --max-new-tokens or a smaller --model."
    ):
        return fitting.in_parts(
            batch,
            lambda part: generate(part, target, longest),
            lambda part: len(part) * (max(map(len, part)) + longest) * config.beams,
        )


def _longest(sources: Sequence[Sequence[int]], config: TranslatorConfig) -> int:
    """Return the maximum number of tokens of a translation, because a looping model would not stop."""
    return min(config.max_new_tokens, 10 + 2 * max(map(len, sources)))


def _by_hf(
    model: PreTrainedModel,
    tokenizer: Any,
    config: TranslatorConfig,
    sources: Sequence[Sequence[int]],
    target: int,
    longest: int,
) -> list[str]:
    model.generation_config.forced_bos_token_id = target
    decoding = DecodingConfig(candidates=1, beams=config.beams, max_new_tokens=longest)
    found = decode(model, tokenizer, sources, decoding, logprobs=False)
    return [_without_language(tokenizer, target, group[0].text) for group in found]


def _by_ct2(
    engine: Any,
    tokenizer: Any,
    config: TranslatorConfig,
    sources: Sequence[Sequence[int]],
    target: int,
    longest: int,
) -> list[str]:
    generated = engine(sources, target, config.beams, longest)
    texts = tokenizer.batch_decode(generated, skip_special_tokens=True)
    return [_without_language(tokenizer, target, text) for text in texts]


def _without_language(tokenizer: Any, target: int, text: str) -> str:
    """Return the text without a leading language token, which some tokenizers do not treat as special."""
    token: str = tokenizer.convert_ids_to_tokens(target)
    return text.strip().removeprefix(token).strip()
