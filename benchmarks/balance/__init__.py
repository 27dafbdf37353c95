"""``python -m benchmarks balance``: how evenly servers spread connections over workers, and what it costs."""
