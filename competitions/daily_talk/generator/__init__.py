"""Makes the CSVs of daily_talk: `python -m competitions.daily_talk.generator`."""
