"""exp006, train: nothing is learned; that the API can be asked is checked, before any work, and noted."""

from dataclasses import asdict

from common import checkpoints, llm, tracking
from common.files import write_json
from experiments.exp006.config import SMOKE, Config


def train(run: tracking.Run[Config]) -> None:
    """The prompts as the checkpoint; the key must be there."""
    config = run.config
    llm.require_ready(config.llm)
    checkpoints.save(
        run.folder / "best",
        lambda folder: write_json(
            folder / "prompts.json", {"styles": config.styles, "prompt": asdict(config.prompt)}
        ),
    )
    run.finish()


if __name__ == "__main__":
    tracking.main("train", __file__, Config(), SMOKE, train)
