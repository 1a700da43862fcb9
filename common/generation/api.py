"""Get summaries from an API: make requests from dialogues, and candidates from answers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from common import prompts
from common.core.errors import UserError
from common.core.messages import cut
from common.core.progress import waiting
from common.data.dialogue import clean, tags
from common.data.rows import Row
from common.llm.checks import Check, summary_check
from common.llm.config import Request
from common.llm.results import Answer
from common.prompts import Message, PromptConfig, shot_index
from common.runs.candidates import Candidate


def requests(
    rows: Sequence[Row],
    train: Sequence[Row],
    others: Sequence[Row],
    config: PromptConfig,
    styles: Sequence[str],
    samples: int,
    near_copy: float,
) -> list[Request]:
    """Return the requests for every row in every style, `samples` times each; their keys are "ROW/STYLE/SAMPLE".

    With `config.shots` each prompt shows solved dialogues of `train`, but never rows of dev and test (`others`) nor
    near-copies of the row itself (similarity of at least `near_copy`).
    Raises UserError if `samples` is below 1, and as `prompts.shot_index` and `prompts.prompt` do.
    """
    if samples < 1:
        raise UserError(f"--samples {samples}: wanted 1 or more.")
    shots: list[Sequence[Row]] = [()] * len(rows)
    if config.shots:
        index = shot_index(train, forbidden=others, near_copy=near_copy)
        with waiting("find similar dialogues in train"):
            shots = [selection.shots for selection in index.select_all(rows, config.shots)]
    return [
        Request(f"{row.id}/{style}/{sample}", _messages(row, chosen, replace(config, style=style)), sample)
        for row, chosen in zip(rows, shots, strict=True)
        for style in styles
        for sample in range(samples)
    ]


def _messages(row: Row, shots: Sequence[Row], config: PromptConfig) -> tuple[Message, ...]:
    prompt = prompts.prompt(shots, config)
    filled = prompt.chat(row.dialogue)[-1]["content"]
    return (*prompt.messages[:-1], replace(prompt.messages[-1], content=filled))


def check(rows: Sequence[Row], language: Literal["ko", "en"] = "ko") -> Check:
    """Return `summary_check` for the dialogues of these rows and the competition's language."""
    sources = {row.id: clean(row.dialogue) for row in rows}
    return summary_check({name: tags(text) for name, text in sources.items()}, sources, language)


def candidates(
    asked: Iterable[Request], answers: Iterable[Answer], rows: Sequence[Row]
) -> dict[str, list[Candidate]]:
    """Return the good answers of every row, in the order of the requests.

    Raises UserError with the reasons if a row has no good answer: a missing summary is never replaced by something else.
    """
    found: dict[str, list[Candidate]] = {row.id: [] for row in rows}
    problems: dict[str, str] = {}
    for request, answer in zip(asked, answers, strict=True):
        name = request.key.partition("/")[0]
        if answer.problem:
            problems[name] = answer.problem
        else:
            found[name].append(Candidate(answer.text, None, answer.completion_tokens))
    empty = [name for name, group in found.items() if not group]
    if empty:
        raise UserError(_without_summary(empty, problems, len(found)))
    return found


def _without_summary(empty: Sequence[str], problems: Mapping[str, str], total: int) -> str:
    listed = "\n".join(f"  {cut(name, 40)}: {problems[name]}" for name in empty[:5])
    more = f"\n  and {len(empty) - 5} more" if len(empty) > 5 else ""
    return (
        f"{len(empty)} of {total} dialogues have no usable answer; nothing is written in their place:\n{listed}{more}\n"
        "All other answers are kept. Retry these with --retry-failed, more --samples or another --model."
    )
