"""WebSockets (RFC 6455) and what applications see of them."""
