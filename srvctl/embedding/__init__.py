"""srvctl inside a program: `run`, `Config`, `Server` and `serve`, which `srvctl` exports. Private."""
