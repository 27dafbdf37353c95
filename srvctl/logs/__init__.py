"""Loggers, their lines and the access log."""
