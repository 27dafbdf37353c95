"""Completion scripts, written from the commands: all that is offered is in them, so no key starts Python."""
