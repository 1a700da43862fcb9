"""Make new training rows from old ones; every new row passes the same guards."""

from common.augment.augmented_rows import AugmentedRow, read, rows_path
from common.augment.in_memory import augment_in_memory
from common.augment.mixing import mix

__all__ = ["AugmentedRow", "augment_in_memory", "mix", "read", "rows_path"]
