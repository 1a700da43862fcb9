"""Stand for vllm.lora.request in tests."""

from typing import Any

from vllm import FACTS, check  # type: ignore[import-not-found]


class LoRARequest:
    def __init__(self, **settings: Any) -> None:
        check("LoRARequest", FACTS["LoRARequest"], settings)
        self.__dict__.update(settings)
