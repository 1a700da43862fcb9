"""Search for the best settings of an experiment: a sweep file, its trials, and what they show."""
