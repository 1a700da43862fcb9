"""exp006, infer: summarize each dialogue after showing the most similar solved ones of the train split."""

from dataclasses import replace

from common import llm
from common.data.rows import SplitName
from common.generation import api
from common.llm import Request
from common.postprocess import predictions
from common.runs import Run, candidates, main
from experiments.exp006.config import SMOKE, Config


def requests(run: Run[Config], split: SplitName) -> list[Request]:
    """Return the requests for a split."""
    config = run.config
    train, others = run.split("train").rows, [*run.split("dev").rows, *run.split("test").rows]
    return api.requests(
        run.split(split).rows, train, others, config.prompt, config.styles, config.samples, run.near_copy
    )


def infer(run: Run[Config]) -> None:
    """Ask the API, write the checked answers as candidates, then predictions and dev scores."""
    budget, files = run.config.llm.budget, []
    for split in run.splits:
        rows, asked = run.split(split).rows, requests(run, split)
        check = api.check(rows, run.competition.language)
        answers, usage = llm.ask(asked, replace(run.config.llm, budget=budget), check)
        run.notes[f"llm_{split}"] = usage
        budget = max(0.0, budget - usage.cost - usage.lost_cost)
        found = api.candidates(asked, answers, rows)
        path = run.folder / split / "candidates.jsonl"
        candidates.write(path, found)
        files += [path, predictions.write(run, split, run.config.postprocess, found)]
    predictions.finish(run, files)


def estimate(run: Run[Config]) -> str:
    """Return the calls, tokens and cost of the answers that `infer` still lacks."""
    asked = [request for split in run.splits for request in requests(run, split)]
    return str(llm.estimate(asked, run.config.llm))


if __name__ == "__main__":
    main("infer", __file__, Config(), SMOKE, infer, estimate=estimate)
