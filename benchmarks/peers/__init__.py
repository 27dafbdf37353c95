"""Peers that need a word of their own to be started by ``python -m``, and the floor below all of them."""
