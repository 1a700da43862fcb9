"""New training rows made from existing ones and filtered by the same guards; start with `read` and `mix`."""

from common.augment.files import AugmentedRow, read, rows_path
from common.augment.mixing import mix
from common.augment.spot import on_the_spot

__all__ = ["AugmentedRow", "mix", "on_the_spot", "read", "rows_path"]
