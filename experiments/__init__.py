"""One idea a folder: a recipe to read from top to bottom."""

import logging

# At its first import, which peft brings about, it asks for a package that only speeds up 4 bits on some processors.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
