"""Fix model output with named, ordered, pure text rules that leave good text unchanged."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from annotated_types import Ge, Le

from common.core.config import leaves
from common.core.errors import UserError
from common.core.files import shown
from common.core.ranges import fits
from common.data.dialogue import visible
from common.postprocess.repetition import remove_repetition
from common.postprocess.sentences import limit_length
from common.postprocess.tags import tag_repair
from common.prompts.cleaning import without_thoughts
from common.runs.candidates import Candidate

Rule = Callable[[str], str]
RuleName = Literal["remove_thoughts", "nfc", "whitespace", "tag_repair", "remove_repetition", "limit_length"]
"""The names of `RULES`."""
_BOUNDS = ("repetition_words", "max_characters")
"""Settings of rules. `min_characters` is not one of them, because it selects among candidates."""


@dataclass(frozen=True)
class PostprocessConfig:
    """The rules that run on a prediction, and their bounds."""

    rules: tuple[RuleName, ...] = (
        "remove_thoughts",
        "nfc",
        "tag_repair",
        "whitespace",
        "remove_repetition",
        "limit_length",
    )
    """Names of `RULES`, applied from left to right."""
    repetition_words: Annotated[int, Ge(1), Le(1000)] = 3
    """A span of at least this many words that directly follows itself is a repetition."""
    max_characters: Annotated[int, Ge(1), Le(1_000_000)] | None = None
    """Longer text is cut to whole sentences within this length. None: the length that a submission may have
    (`[submission] max_characters` in competition.toml), which cuts no real summary."""
    min_characters: Annotated[int, Ge(0), Le(1_000_000)] = 0
    """The prediction is the first candidate of at least this length after the rules, else the longest; 0: the first one
    that is not empty."""

    def require_consistent(self) -> None:
        """Raise UserError when `min_characters` is below 0 or above the maximum of `limit_length`."""
        least = self.min_characters
        if least < 0 or least > longest(self):
            raise UserError(
                f"postprocess: min_characters is {least}; wanted 0 to max_characters ({self.max_characters})."
            )


# --- characters and spaces ---


def nfc(text: str) -> str:
    """Return the text in Unicode NFC, without invisible characters (zero-width, BOM, control)."""
    return visible(text)


def whitespace(text: str) -> str:
    """Return the text on one line: single spaces, none at the ends and none before . , ? !

    "3 .5" and " .NET" stay.
    """
    text = " ".join(text.split())
    return re.sub(r" +(?=[.,?!]+(?:[^.,?!0-9A-Za-z]|$))", "", text)


# --- by name ---

RULES: Mapping[RuleName, Callable[[PostprocessConfig], Rule]] = {
    "remove_thoughts": lambda config: without_thoughts,
    "nfc": lambda config: nfc,
    "whitespace": lambda config: whitespace,
    "tag_repair": lambda config: tag_repair,
    "remove_repetition": lambda config: lambda text: remove_repetition(text, config.repetition_words),
    "limit_length": lambda config: (
        lambda text: text if config.max_characters is None else limit_length(text, config.max_characters)
    ),
}
"""Every rule by name, with the settings that it takes from the config."""


def within(config: PostprocessConfig, limit: int) -> PostprocessConfig:
    """Return the config with `limit` (characters of a submission) in place of a `max_characters` that is None."""
    return replace(config, max_characters=limit) if config.max_characters is None else config


def longest(config: PostprocessConfig) -> float:
    """Return the length that `limit_length` allows, in characters; infinity without the rule or its limit."""
    if config.max_characters is None or "limit_length" not in config.rules:
        return math.inf
    return config.max_characters


def pipeline(names: Sequence[str], **settings: Any) -> Rule:
    """Return one rule that applies the named rules in this order; `settings` are the bounds of `PostprocessConfig`.

    Raises UserError for an unknown rule, an unknown setting or a bound below 1.
    """
    if unknown := sorted(set(settings) - set(_BOUNDS)):
        raise UserError(
            f"postprocess: unknown setting {', '.join(unknown)}; choose from {', '.join(_BOUNDS)}."
        )
    if unknown := [name for name in names if name not in RULES]:
        raise UserError(
            f"postprocess: unknown rule {', '.join(unknown)}; choose from {', '.join(sorted(RULES))}."
        )
    config = PostprocessConfig(rules=tuple(cast(RuleName, name) for name in names), **settings)
    for name in _BOUNDS:
        bound = getattr(config, name)
        if bound is not None and bound < 1:
            raise UserError(f"postprocess: {name} is {bound}; it must be 1 or more.")
    chosen = [RULES[name](config) for name in config.rules]

    def run(text: str) -> str:
        for rule in chosen:
            text = rule(text)
        return text

    return run


def get_rule(config: PostprocessConfig) -> Rule:
    """Return the config's rules as one rule. Raises UserError as `pipeline` does."""
    return pipeline(config.rules, **{name: getattr(config, name) for name in _BOUNDS})


def apply(config: PostprocessConfig, text: str) -> str:
    """Return the text after the config's rules. Raises UserError as `pipeline` does."""
    return get_rule(config)(text)


def prediction(config: PostprocessConfig, texts: Sequence[str]) -> str:
    """Return the predicted text of a dialogue from its candidate texts, best first, after the config's rules.

    Raises UserError as `pipeline` does, and when `min_characters` is below 0 or above the maximum of `limit_length`.
    """
    config.require_consistent()
    rule, least = get_rule(config), config.min_characters
    made: list[str] = []
    for text in texts:
        made.append(rule(text))
        if _is_enough(made[-1], least):
            break
    return long_enough(made, least)


def best_texts(config: PostprocessConfig, candidates: Mapping[str, Sequence[Candidate]]) -> dict[str, str]:
    """Return the predicted text of every id, post-processed. Raises UserError as `prediction` does."""
    return {name: prediction(config, [one.text for one in group]) for name, group in candidates.items()}


def long_enough(texts: Sequence[str], least: int) -> str:
    """Return the first text of at least this many characters that is not empty, else the longest (the first on a tie)."""
    return next((text for text in texts if _is_enough(text, least)), max(texts, key=len))


def _is_enough(text: str, least: int) -> bool:
    return len(text) >= least and text.strip() != ""


def recorded(settings: Mapping[str, Any], path: Path) -> PostprocessConfig:
    """Return the config that a run's record (`path`) has as `postprocess.…` settings.

    A setting missing in the record did not exist when the run was made, and gets its default. Raises UserError when the
    rules are missing or a value is none that the setting can have.
    """
    found = {name.removeprefix("postprocess."): value for name, value in settings.items()}
    known = {field.name: found[field.name] for field in fields(PostprocessConfig) if field.name in found}
    rules = found.get("rules")
    config = PostprocessConfig(**known | {"rules": tuple(rules) if isinstance(rules, list) else None})
    for name, (hint, value) in leaves(config).items():
        if not fits(hint, value):
            raise UserError(
                f"{shown(path)}: the record of inference has no usable postprocess.{name}; infer {path.parent.name} again."
            )
    return config


def apply_recorded(settings: Mapping[str, Any], path: Path, limit: int) -> Rule:
    """Return the rules that a run's record (`path`) has as `postprocess.…` settings; `limit` as for `within`.

    Raises UserError as `recorded` and `pipeline` do.
    """
    return get_rule(within(recorded(settings, path), limit))
