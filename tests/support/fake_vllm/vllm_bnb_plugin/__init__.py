"""Stand for the plugin vllm-bnb-plugin in tests."""
