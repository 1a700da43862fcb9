"""exp001, train: rank the extraction strategies on training rows; no model is trained."""

from common.core import verified_folder
from common.core.files import write_json
from common.core.progress import brief_progress
from common.data.sampled_rows import sampled_rows
from common.runs import Run, main
from common.runs.scoring import score
from experiments.exp001.config import SMOKE, Config
from experiments.exp001.strategies import STRATEGIES, extract


def train(run: Run[Config]) -> None:
    """Score every strategy with every number of turns on train; save the ranking as the checkpoint."""
    rows = sampled_rows(run.split("train").rows, run.config.train_rows, run.config.seed)
    references = {row.id: row.summaries for row in rows}
    found = []
    most = run.config.most_turns
    for strategy in STRATEGIES:
        # A bar for each strategy, because some take much longer than others.
        with brief_progress(most * len(rows), f"try {strategy}", "dialogue") as bar:
            for count in range(1, most + 1):
                texts = {}
                for row in rows:
                    texts[row.id] = extract(strategy, count, row.dialogue)
                    bar.update()
                headline = score(texts, references, run.competition.dev_profile).headline
                found.append({"strategy": strategy, "turns": count, "train": headline})
    ranking = sorted(found, key=lambda entry: -float(entry["train"]))
    verified_folder.save(run.folder / "best", lambda folder: write_json(folder / "ranking.json", ranking))
    run.finish(ranking=ranking)


if __name__ == "__main__":
    main("train", __file__, Config(), SMOKE, train)
