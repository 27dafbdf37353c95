"""Applications to try srvctl with: `srvctl run examples.fastapi_hello:app`."""
