"""Count the dialogues and summaries that exceed the token limits of the experiments."""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.core.errors import UserError
from common.core.files import root, shown
from common.core.paths import run_folder
from common.core.progress import brief_progress
from common.data.competition import Competition
from common.data.statistics import Measured
from common.generation.config import DecodingConfig
from common.runs.experiments import experiments
from common.runs.record import read_record

CHARACTERS_PER_TOKEN = {"ko": 2.0, "en": 4.0}
"""What an estimate assumes. Vocabularies of 4,000 to 30,000 tokens that were trained on our Korean dialogues reach 2.1
to 2.9; those of multilingual models are less suited to Korean."""


@dataclass(frozen=True)
class Budget:
    """The token limits of experiments with one tokenizer, and the share of texts that exceed them."""

    experiments: tuple[str, ...]
    tokenizer: str
    """The tokenizer file that counted; "" when the counts are estimated from the number of characters."""
    source_tokens: int
    """Most tokens of a source; dialogues are counted alone, without an instruction and examples."""
    summary_tokens: int
    """Most tokens of a new summary, its end token included."""
    dialogues_over: Mapping[str, int]
    """Split → number of dialogues above the limit: whole turns of these are left out."""
    summaries_over: Mapping[str, int]
    """Split → number of reference summaries above the limit: no output can be this long; {} for hidden summaries."""


@dataclass(frozen=True)
class _Limits:
    source: int
    summary: int
    model: str
    tokenizer: Path | None


def budgets(competition: Competition, splits: Sequence[Measured]) -> list[Budget]:
    """Return the budget of every experiment that has a limit; experiments with equal limits and tokenizer share one.

    A trained run's own settings and tokenizer count before those of the recipe. Without a tokenizer on this machine
    the counts are estimates. Raises UserError for an invalid config.py or run.json, or a damaged tokenizer file.
    """
    groups: dict[tuple[int, int, Path | None], list[str]] = {}
    for name in experiments():
        if found := _limits(competition, name):
            groups.setdefault((found.source, found.summary, found.tokenizer), []).append(name)
    tokenizers = dict.fromkeys(tokenizer for _, _, tokenizer in groups)
    bar = brief_progress(len(tokenizers) * len(splits), "count tokens", "split", even=False)
    counts: dict[Path | None, dict[str, tuple[list[int], list[int]]]] = {}
    for tokenizer in tokenizers:
        count = _counter(tokenizer, competition.language)
        counts[tokenizer] = {}
        for split in splits:
            counts[tokenizer][split.statistics.name] = count(split.dialogues), count(split.summaries)
            bar.update()
    bar.close()
    return [
        Budget(
            tuple(names),
            shown(tokenizer) if tokenizer else "",
            source,
            summary,
            {
                split: sum(tokens > source for tokens in found)
                for split, (found, _) in counts[tokenizer].items()
            },
            {
                split: sum(tokens + 1 > summary for tokens in found)
                for split, (_, found) in counts[tokenizer].items()
                if found
            },
        )
        for (source, summary, tokenizer), names in groups.items()
    ]


def _counter(tokenizer: Path | None, language: str) -> Any:
    """Return a function that counts the tokens of each text, without special tokens."""
    if tokenizer is None:
        ratio = CHARACTERS_PER_TOKEN[language]
        return lambda texts: [round(len(text) / ratio) for text in texts]
    from tokenizers import Tokenizer

    try:
        loaded = Tokenizer.from_file(str(tokenizer))
    except Exception as error:  # the library has no type of its own for a damaged file
        raise UserError(
            f"{shown(tokenizer)}: not a tokenizer; restore it, or train the run again with restart=1."
        ) from error
    loaded.encode_special_tokens = True  # a "</s>" in a dialogue is text
    return lambda texts: [len(one.ids) for one in loaded.encode_batch(list(texts), add_special_tokens=False)]


def _limits(competition: Competition, name: str) -> _Limits | None:
    """Return the limits of an experiment; None when it cuts nothing."""
    recipe = _recipe(root() / "experiments" / name / "config.py")
    folder = run_folder(competition.name, name)
    trained = read_record(folder).get("train", {}).get("config", {})
    source = trained.get("lengths.max_source_tokens", recipe.get("max_source_tokens"))
    if not isinstance(source, int):
        return None
    summary = trained.get("decoding.max_new_tokens", recipe.get("max_new_tokens"))
    if not isinstance(summary, int):
        summary = DecodingConfig.max_new_tokens
    model = trained.get("base.model", recipe.get("model"))
    model = model if isinstance(model, str) else ""
    return _Limits(source, summary, model, _tokenizer(folder, model))


def _recipe(path: Path) -> dict[str, object]:
    """Return the limits and the model of an experiment's class Config, read without importing it (that takes seconds)."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError) as error:
        raise UserError(f"{shown(path)}: not valid Python ({error}); fix that line.") from error
    config = next(
        (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Config"), None
    )
    found: dict[str, object] = {}
    for node in ast.walk(config) if config else ():
        if (
            isinstance(node, ast.keyword)
            and node.arg in ("max_source_tokens", "max_new_tokens", "model")
            and isinstance(node.value, ast.Constant)
        ):
            found.setdefault(node.arg, node.value.value)
    return found


def _tokenizer(folder: Path, model: str) -> Path | None:
    """Return the tokenizer file of a trained run, else of its model where this machine has it; else None."""
    candidates = [folder / "best" / "tokenizer.json"]
    if model:
        candidates += [Path(model).expanduser() / "tokenizer.json", root() / model / "tokenizer.json"]
    for path in candidates:
        if path.is_file():
            return path
    if "/" not in model:
        return None
    try:
        from huggingface_hub import try_to_load_from_cache

        cached = try_to_load_from_cache(model, "tokenizer.json")
    except (ImportError, ValueError):  # not installed, or not the name of a model on the hub
        return None
    return Path(cached) if isinstance(cached, str) else None
