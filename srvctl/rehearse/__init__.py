"""Tries an application and its settings out: load, and everything that can happen to a service."""
