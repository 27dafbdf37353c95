"""Writes the files around a service, ready for one application and its settings. Pure: texts from settings.

`plan` has what they have in common; each other module writes one kind of file. Called by ``srvctl init``.
"""
