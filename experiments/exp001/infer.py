"""exp001, infer: the best strategy gives the summary, the next ones give further candidates."""

from common.core.files import read_json
from common.core.progress import brief_progress
from common.postprocess import predictions
from common.runs import Run, candidates, main
from common.runs.candidates import Candidate
from experiments.exp001.config import SMOKE, Config
from experiments.exp001.strategies import extract


def infer(run: Run[Config]) -> None:
    """Extract candidates with the ranked strategies, post-process the predictions and score dev."""
    ranking = read_json(run.folder / "best" / "ranking.json")[: run.config.candidates]
    files = []
    for split in run.splits:
        found = {}
        rows = run.split(split).rows
        with brief_progress(len(rows), f"extract from {split}", "dialogue") as bar:
            for row in rows:
                texts = [extract(entry["strategy"], entry["turns"], row.dialogue) for entry in ranking]
                found[row.id] = [Candidate(text, None, len(text.split())) for text in texts]
                bar.update()
        path = run.folder / split / "candidates.jsonl"
        candidates.write(path, found)
        files += [path, predictions.write(run, split, run.config.postprocess, found)]
    predictions.finish(run, files)


if __name__ == "__main__":
    main("infer", __file__, Config(), SMOKE, infer)
