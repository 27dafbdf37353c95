"""The commands for instances that run, one module each; `srvctl.cli.quick` lists them.

Each has ``declare``, which adds the flags to a parser, and ``carry_out``, which does it and returns the exit
code. They must start fast: no pydantic, no typer, and rich only where a screen is drawn.
"""
