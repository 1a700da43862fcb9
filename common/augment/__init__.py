"""New training rows from old ones, each behind the same guards: start with ``read`` and ``mix``."""

from common.augment.files import AugmentedRow, folder, read
from common.augment.mixing import mix

__all__ = ["AugmentedRow", "folder", "mix", "read"]
