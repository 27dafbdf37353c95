"""The settings: declared in `groups`, read by `load`."""
