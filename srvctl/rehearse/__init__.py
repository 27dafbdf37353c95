"""Tries an application and its settings out: load, and everything that can happen to a service.

`plan` and `acts` say what is tried, `performing` does it to an `instance` while `load` asks for pages, and
`judging` says what to think of the counts. Only the command line prints (`srvctl.cli.rehearse`).
"""
