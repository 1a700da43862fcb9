"""Experiments: each folder holds one idea, as a recipe to read from top to bottom."""

import logging

# When peft imports it, bitsandbytes suggests a package that only speeds up 4-bit models on some CPUs.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
