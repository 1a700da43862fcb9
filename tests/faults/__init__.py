"""Break the project on purpose: kills, damage, signals, full disks and bad input, each outcome judged and recorded.

Run with `make faults`; docs/durability.md shows the results.
"""
