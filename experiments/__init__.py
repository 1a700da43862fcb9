"""Experiments: each folder holds one idea, as a recipe to read from top to bottom."""

from common.core.messages import quiet_libraries

quiet_libraries()  # before an experiment imports them: bitsandbytes prints a suggestion when peft imports it
