"""The master: one thread, no event loop, never imports the application.

`fleet` decides (pure), `master` waits and dispatches, `effects` acts.
"""
