"""The access log: what a finished request was, as a line, in batches, to where it belongs."""
