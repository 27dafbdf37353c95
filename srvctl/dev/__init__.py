"""What is there for development only (``--reload``): the eye on the files, the error page, open browsers.

Must not know the fleet. The master imports nothing of it: `watcher` lives in a child, `browser` and
`error_page` in workers.
"""
