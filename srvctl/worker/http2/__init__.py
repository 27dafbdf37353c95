"""HTTP/2 (RFC 9113): many requests at a time on one connection, each with the cycle that HTTP/1 has."""
