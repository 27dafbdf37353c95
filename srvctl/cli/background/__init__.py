"""Starting an instance that outlives the command: for ``srvctl start`` and ``srvctl restart``.

`words` takes a command line apart, `log_place` finds where its output goes, `birth` starts it and
waits for its workers, `launching` puts these together and says what came of it.
"""
