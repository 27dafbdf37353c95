"""What the master and its children print: read through pipes, kept for a while, and written out."""
