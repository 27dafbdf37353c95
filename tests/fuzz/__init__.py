"""Fuzzing: what reads untrusted bytes must not be surprised by any."""
