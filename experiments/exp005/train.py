"""exp005, train: find the weights and record them; nothing is trained."""

from common.core import distributed, verified_folder
from common.models.storage import save_base
from common.runs import Run, main
from experiments.exp005.config import SMOKE, Config


def train(run: Run[Config]) -> None:
    """Save the name and commit of the weights as the checkpoint."""
    if distributed.rank() == 0:
        verified_folder.save(run.folder / "best", lambda folder: save_base(run.config.base, "causal", folder))
    run.finish()


if __name__ == "__main__":
    main("train", __file__, Config(), SMOKE, train)
