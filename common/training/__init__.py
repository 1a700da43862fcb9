"""Training of encoder-decoder and causal models with one loop, on one device or several."""

from common.training.loop import FitResult as FitResult
from common.training.loop import fit as fit
from common.training.losses import Batch as Batch
from common.training.losses import cross_entropy as cross_entropy
from common.training.losses import r_drop as r_drop
from common.training.plan import TrainingConfig as TrainingConfig
