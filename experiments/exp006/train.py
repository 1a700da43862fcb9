"""exp006, train: check that the settings and the API key are valid; nothing is trained."""

from dataclasses import asdict

from common import checkpoints, llm, tracking
from common.files import write_json
from experiments.exp006.config import SMOKE, Config


def train(run: tracking.Run[Config]) -> None:
    """Save the prompts as the checkpoint. Raises UserError if the API key is missing."""
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
