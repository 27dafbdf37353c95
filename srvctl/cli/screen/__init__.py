"""``srvctl top``: figures from two looks at an instance, how they are laid out, and the terminal.

`figures` and `layout` are pure; `terminal` has the keys and the screen; `watching` goes round.
"""
