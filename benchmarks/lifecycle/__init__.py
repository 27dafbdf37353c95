"""Faults under constant load, with every request accounted for. ``python -m benchmarks lifecycle``."""
