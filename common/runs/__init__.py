from common.runs.run import Run
from common.runs.stage import main

__all__ = ["Run", "main"]
