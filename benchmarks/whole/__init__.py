"""``python -m benchmarks all``: everything in one run, with a report for people and a file for programs."""
