"""The rooms of a Korean dialogue-summarization submission; start at README.md."""
