"""Stand for vllm.lora in tests."""
