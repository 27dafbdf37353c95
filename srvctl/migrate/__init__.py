"""What another server was told, as settings of srvctl's: read from command lines and files, never executed.

`source` finds out what it is given and asks the module that reads it; `uvicorn`, `gunicorn` and `fastapi_cli`
say what each option means here. All of them return a `result.Migration`. Pure, but for the function that
reads a file which a command line names, and which the caller brings. `srvctl.cli.migrate` is the caller.
"""
