"""Makes the CSVs of daily_talk from situation files: `python -m competitions.daily_talk.generator`."""
