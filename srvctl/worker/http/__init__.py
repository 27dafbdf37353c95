"""HTTP/1.1: bytes to requests (codec), requests to the application (cycle), and back."""
