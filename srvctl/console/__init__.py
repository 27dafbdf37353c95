"""The console: dashboard, metrics and health checks, in a process of its own on the project's own server."""
