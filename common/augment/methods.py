"""Provide each method as a function from rows to products, with everything its results depend on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from common.augment.local import sentence_drop, speaker_swap, turn_drop
from common.augment.products import Product
from common.augment.settings import LOCAL, AugmentConfig
from common.augment.translation import Translator, back_translate, require_accepted
from common.core.config import check, plain
from common.core.errors import UserError
from common.core.messages import brief
from common.data.rows import Row
from common.models.known import require_findable
from common.runs.requirements import require_engine, require_keys

Make = Callable[[Sequence[Row]], list[Product | str]]
"""Rows → for each row its product, or "reason: why there is none"."""

LOCAL_BATCH = 256
_OPERATIONAL = ("llm.workers", "llm.requests_per_minute", "llm.tokens_per_minute", "llm.connect_timeout",
                "llm.read_timeout", "llm.attempts", "llm.longest_wait", "llm.price_prompt", "llm.price_completion",
                "llm.budget", "llm.retry_failed", "llm.key_name", "rows_at_once", "accept_noncommercial_licence")  # fmt: skip
"""Settings that change how the work is done but not its results."""


@dataclass(frozen=True)
class Method:
    """A method ready to run."""

    make: Make
    batch: int | None
    """Number of rows per call; None for all at once, if the method saves its own progress."""
    model: str = ""
    """Name and commit of the model, for the rows' provenance."""
    record: Any = None
    """The entry about the model in run.json."""
    prompt_sha256: str = ""
    estimate: Callable[[Sequence[Row]], str] | None = None
    """Function that returns the cost of a run as text; None if a run costs nothing."""


def product_settings(config: AugmentConfig) -> dict[str, Any]:
    """Return the settings that products depend on; the guards, applied afterwards, are not among them."""
    return {
        name: value
        for name, value in plain(config).items()
        if name == "seed" or (name.startswith("method.") and not name.endswith(_OPERATIONAL))
    }


def method(name: str, config: AugmentConfig, language: str, translator: Translator | None = None) -> Method:
    """Return the method of that name. `translator` replaces the model (for tests).

    Raises UserError if a setting is invalid, if the model is unavailable, and if the method supports only Korean but
    `language` is another.
    """
    check(config)
    own = config.method
    if name == "speaker_swap":
        return Method(_each(speaker_swap), LOCAL_BATCH)
    if name == "turn_drop":
        return Method(_each(partial(turn_drop, config=own, seed=config.seed)), LOCAL_BATCH)
    if name == "sentence_drop":
        return Method(_each(partial(sentence_drop, config=own, seed=config.seed)), LOCAL_BATCH)
    _require_korean(name, language)
    return _paraphrase(own, config.seed) if name == "paraphrase" else _back_translation(own, translator)


def require_ready(name: str, config: AugmentConfig, language: str, *, own_model: bool = True) -> None:
    """Raise UserError when a method certainly cannot run here: without torch, and before anything is written.

    `own_model`: whether the method loads its own translator.
    """
    check(config)
    if name in LOCAL:
        return
    _require_korean(name, language)
    require_keys(config)
    if name == "back_translation" and own_model:
        translator = config.method.translator
        require_accepted(translator, [translator.model])
        require_findable(translator.model, translator.revision)
        require_engine(translator.engine)


def _require_korean(name: str, language: str) -> None:
    if language != "ko":
        raise UserError(
            f"method {name} supports only Korean, but the language of this competition is {brief(language)}. Choose one of {', '.join(LOCAL)}."
        )


def _each(function: Callable[[Row], Product | str]) -> Make:
    return lambda rows: [function(row) for row in rows]


def _back_translation(own: Any, translator: Translator | None) -> Method:
    record: dict[str, str | None] = {"model": "a function", "commit": None}
    if translator is None:
        from common.augment import translators  # torch and transformers

        loaded = translators.load(own.translator)
        translator, record = loaded.translate, loaded.record
    commit = f"@{record['commit']}" if record["commit"] else ""
    return Method(
        partial(back_translate, translate=translator, config=own),
        own.rows_at_once,
        f"{record['model']}{commit}",
        record,
    )


def _paraphrase(own: Any, seed: int) -> Method:
    from common import llm
    from common.augment import paraphrase
    from common.augment.paraphrase import prompt_hash
    from common.llm import Answer, Check, Request

    usage: list[Any] = []

    def ask(requests: Sequence[Request], check: Check) -> list[Answer]:
        answers, used = llm.ask(requests, own.llm, check)
        usage.append(used)
        return answers

    return Method(
        lambda rows: paraphrase.paraphrase(rows, ask, own, seed),
        None,
        own.llm.model,
        {"model": own.llm.model, "base_url": own.llm.base_url, "usage": usage},
        prompt_hash(own),
        lambda rows: str(llm.estimate(paraphrase.requests(rows, own, seed), own.llm)),
    )
