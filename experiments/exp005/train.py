"""exp005, train: find the weights and record them; nothing is trained."""

from common import checkpoints, models, processes, tracking
from experiments.exp005.config import SMOKE, Config


def train(run: tracking.Run[Config]) -> None:
    """Save the name and commit of the weights as the checkpoint."""
    if processes.rank() == 0:
        checkpoints.save(
            run.folder / "best", lambda folder: models.save_base(run.config.base, "causal", folder)
        )
    run.finish()


if __name__ == "__main__":
    tracking.main("train", __file__, Config(), SMOKE, train)
