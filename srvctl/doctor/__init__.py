"""Looks at the machine for one configuration, and says what to change.

`look` reads everything once, below roots that tests replace, into the plain values of `facts`; each check is
a small function of the settings and the facts, which knows no system. `checks` lists them all. Called by
``srvctl doctor``; a master knows nothing of this.
"""
