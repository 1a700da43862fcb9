"""Stand for vllm.inputs in tests."""

from typing import Any

from vllm import FACTS, check  # type: ignore[import-not-found]


class TokensPrompt(dict[str, Any]):
    def __init__(self, **keys: Any) -> None:
        check("TokensPrompt", FACTS["TokensPrompt"], keys)
        super().__init__(keys)
