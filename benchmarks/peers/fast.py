"""Start fastpysgi, whose module does nothing when it is run."""

from __future__ import annotations

from importlib import import_module

if __name__ == "__main__":
    import_module("fastpysgi").run_from_cli()
