"""Settings of exp008."""

from dataclasses import dataclass, replace
from typing import Annotated

from annotated_types import Ge, Le

from common.augment import LocalMethod, require_made, require_name
from common.core.errors import UserError
from common.core.ranges import DevRows, Seed, Share, Text
from common.data.competition import Competition
from common.generation.config import DecodingConfig
from common.models.config import PretrainedConfig
from common.postprocess.rules import PostprocessConfig
from common.tokenization.config import LengthConfig
from common.training.config import TrainingConfig

TITLE = "KoBART on original and augmented rows"
MODEL = "digit82/kobart-summarization"
NEEDS = "gpu, hub"


@dataclass(frozen=True)
class MixConfig:
    """The augmented rows to train on, in addition to the originals."""

    made: tuple[Text, ...] = ("back_translation", "paraphrase")
    """Names of the rows that `make augment` has made: folders of outputs/<competition>/augmented."""
    local: tuple[LocalMethod, ...] = ()
    """Methods whose rows are made in memory: speaker_swap, turn_drop, sentence_drop."""
    ratio: Annotated[float, Ge(0), Le(1000)] = 1.0
    """Maximum number of augmented rows per original row; 0 trains on the originals only."""
    lowest_similarity: Share = 0.0
    """Minimum similarity of a row to its parent, 0 to 1; less similar rows are left out."""
    highest_similarity: Share = 1.0
    """Maximum similarity of a row to its parent, 0 to 1; more similar rows are left out."""

    def require_consistent(self) -> None:
        """Raise UserError for an invalid or repeated name, and for a minimum above its maximum."""
        for name in self.made:
            require_name(name)
        for name in (*self.made, *self.local):
            if (*self.made, *self.local).count(name) > 1:
                raise UserError(f"--made and --local: {name} is named twice; name it once.")
        if self.lowest_similarity > self.highest_similarity:
            raise UserError(
                f"--lowest-similarity {self.lowest_similarity} is above --highest-similarity {self.highest_similarity}, "
                "so no row would be left; lower the former."
            )


@dataclass(frozen=True)
class Config:
    """exp003 with augmented rows: does a paraphrase of each dialogue help?"""

    seed: Seed = 8
    dev_rows: DevRows = 499
    """Number of dev dialogues, chosen by the seed, that are decoded at each evaluation."""
    mix: MixConfig = MixConfig()
    lengths: LengthConfig = LengthConfig(max_source_tokens=768)
    base: PretrainedConfig = PretrainedConfig(model="digit82/kobart-summarization")
    training: TrainingConfig = TrainingConfig(
        epochs=8,
        tokens_per_batch=16384,
        learning_rate=5e-5,
        weight_decay=0.01,
        label_smoothing=0.0,
        patience=3,
    )
    decoding: DecodingConfig = DecodingConfig(candidates=4, beams=4, samples=4)
    postprocess: PostprocessConfig = PostprocessConfig()

    def require_ready(self, competition: Competition) -> None:
        """Raise UserError for augmented rows that were not made yet."""
        for name in self.mix.made:
            require_made(competition, name)


SMOKE = Config(
    dev_rows=4,
    mix=MixConfig(made=(), local=("speaker_swap",)),
    base=PretrainedConfig(model="tiny:bart"),
    training=replace(Config.training, epochs=1),
    decoding=DecodingConfig(candidates=2, beams=2, samples=1, max_new_tokens=8),
)
