"""Turn the organisers' CSV files into checked rows, and dialogues into turns."""
