"""Make new training rows from old ones; every new row passes the same guards."""

from common.augment.augmented_rows import AugmentedRow, read, require_made, require_name, rows_path
from common.augment.in_memory import augment_in_memory
from common.augment.mixing import mix
from common.augment.settings import LocalMethod

__all__ = [
    "AugmentedRow",
    "LocalMethod",
    "augment_in_memory",
    "mix",
    "read",
    "require_made",
    "require_name",
    "rows_path",
]
