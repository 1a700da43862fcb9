"""Ask language-model services over HTTP; every answer is checked, paid for once and kept."""

from common.llm.checks import Check, summary_check
from common.llm.client import ask, estimate, require_ready
from common.llm.config import LOOPBACK, LLMConfig, Request
from common.llm.results import Answer, Estimate, Usage

__all__ = [
    "LOOPBACK",
    "Answer",
    "Check",
    "Estimate",
    "LLMConfig",
    "Request",
    "Usage",
    "ask",
    "estimate",
    "require_ready",
    "summary_check",
]
