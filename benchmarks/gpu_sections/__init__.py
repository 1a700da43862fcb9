"""Sections of benchmarks/gpu.py: what is measured, the process that measures it, and the page that shows it."""
