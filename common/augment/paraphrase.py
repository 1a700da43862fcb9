"""Paraphrase dialogues, summaries or both with a large language model; the texts are data, never instructions."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from common.augment.products import Product, speakers
from common.core.errors import UserError
from common.core.files import sha256_texts
from common.data.dialogue import clean, parse, tags
from common.data.rows import Row
from common.llm import Answer, Check, LLMConfig, Request, checks
from common.llm.checks import replaced_tags
from common.llm.languages import foreign_script, foreign_words, links, not_korean
from common.prompts import Message, safe, split
from common.prompts.templates import template

Ask = Callable[[Sequence[Request], Check], list[Answer]]
"""(requests, check of the answers) → answers in order: `llm.ask` with its settings, or a function of a test."""

_FOLDER = Path(__file__).resolve().parent / "prompts"
_MARKERS = ("[요약]", "[/요약]")


@dataclass(frozen=True)
class ParaphraseConfig:
    """Settings of `paraphrase`."""

    llm: LLMConfig = replace(LLMConfig(), max_tokens=2000, temperature=0.7)
    """The model and its limits; --model has no default."""
    parts: Literal["dialogue", "summary", "both"] = "both"
    """The parts to paraphrase; the others are kept."""


def prompt_hash(config: ParaphraseConfig) -> str:
    """Return the hex sha256 of the system message and the instructions in use. Raises UserError for a damaged file."""
    return sha256_texts([_read("system", 0), *(_read(part, 1) for part in _parts(config))])


def requests(rows: Sequence[Row], config: ParaphraseConfig, seed: int) -> list[Request]:
    """Return the requests for the rows, in their order, with the keys "ID/dialogue" and "ID/summary0" ….

    The seed is the sample number, so another seed gives other answers to the same question.
    Raises UserError if no model is set or a prompt file is damaged.
    """
    if not config.llm.model:
        raise UserError('paraphrase: no model is set; give one: args="--model solar-pro3"')
    system = Message("system", _read("system", 0))
    templates = {part: split(_read(part, 1)) for part in _parts(config)}
    found = []
    for row in rows:
        for name, part, text in _texts(row, config):
            before, after = templates[part]
            user = Message("user", before + safe(text, _MARKERS) + after)
            found.append(Request(f"{row.id}/{name}", (system, user), seed))
    return found


def paraphrase(rows: Sequence[Row], ask: Ask, config: ParaphraseConfig, seed: int) -> list[Product | str]:
    """Return every row paraphrased, or the problem of the model's answers. Raises UserError as `ask` does."""
    asked = requests(rows, config, seed)
    texts = {f"{row.id}/{name}": text for row in rows for name, _, text in _texts(row, config)}

    def check(request: Request, answer: str) -> str:
        return fault(texts[request.key], answer, dialogue=request.key.endswith("/dialogue"))

    answers = dict(zip((request.key for request in asked), ask(asked, check), strict=True))
    return [_product(row, answers) for row in rows]


def _product(row: Row, answers: dict[str, Answer]) -> Product | str:
    found = [(clean(row.dialogue), answers.get(f"{row.id}/dialogue"))]
    found += [(clean(text), answers.get(f"{row.id}/summary{i}")) for i, text in enumerate(row.summaries)]
    problem = next((answer.problem for _, answer in found if answer is not None and answer.problem), "")
    if problem:
        return f"llm: {problem}"
    dialogue, *summaries = [text if answer is None else clean(answer.text) for text, answer in found]
    return Product(dialogue, tuple(summaries))


def fault(text: str, answer: str, *, dialogue: bool) -> str:
    """Return the fault of an answer to a text in Korean, because the model reads the message; "" if there is none."""
    found = clean(answer)
    problem = (
        checks.empty(found)
        or foreign_script(found, text)
        or not_korean(found)
        or replaced_tags(found, text)
        or links(found, text)
        or foreign_words(found, text)
    )
    if problem:
        return problem
    if not dialogue and (
        problem := checks.refusal(found) or checks.chatter(found) or checks.odd_marks(found, text)
    ):
        return problem
    if dialogue and speakers(parse(found)) != speakers(parse(text)):
        return "줄 수나 말하는 사람의 순서가 원래 대화와 다름"
    wanted, used = Counter(tags(text)), Counter(tags(found))
    wrong = sorted(tag for tag in {*wanted, *used} if wanted[tag] != used[tag])
    return f"표지의 횟수가 원래와 다름: {' '.join(wrong[:3])}" if wrong else ""


def _texts(row: Row, config: ParaphraseConfig) -> list[tuple[str, str, str]]:
    """Return (name, part, cleaned text) of every text to paraphrase."""
    found = [("dialogue", "dialogue", clean(row.dialogue))] if config.parts != "summary" else []
    if config.parts != "dialogue":
        found += [(f"summary{i}", "summary", clean(text)) for i, text in enumerate(row.summaries)]
    return found


def _parts(config: ParaphraseConfig) -> tuple[str, ...]:
    return ("dialogue", "summary") if config.parts == "both" else (config.parts,)


def _read(name: str, places: int) -> str:
    return template(_FOLDER / f"{name}.txt", places)
