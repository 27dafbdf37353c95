"""``python -m benchmarks ws``: a cheap client, the servers that speak WebSocket, and what is reported."""
