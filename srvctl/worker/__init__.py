"""One worker process: an event loop, the application, and the HTTP server that joins them."""
