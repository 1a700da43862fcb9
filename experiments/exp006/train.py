"""exp006, train: check that the settings and the API key are valid; nothing is trained."""

from dataclasses import asdict

from common.core import verified_folder
from common.core.files import write_json
from common.llm import require_ready
from common.runs import Run, main
from experiments.exp006.config import SMOKE, Config


def train(run: Run[Config]) -> None:
    """Save the prompts as the checkpoint. Raises UserError if the API key is missing."""
    config = run.config
    require_ready(config.llm)
    verified_folder.save(
        run.folder / "best",
        lambda folder: write_json(
            folder / "prompts.json", {"styles": config.styles, "prompt": asdict(config.prompt)}
        ),
    )
    run.finish()


if __name__ == "__main__":
    main("train", __file__, Config(), SMOKE, train)
