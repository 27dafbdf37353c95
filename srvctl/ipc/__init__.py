"""How the processes talk: pure codecs, no sockets."""
