"""Benchmarks of srvctl beside its peers; see README.md in this folder for what the figures mean."""
