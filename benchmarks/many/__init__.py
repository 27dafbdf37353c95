"""srvctl at its largest: many workers, many connections, many reloads, and what they cost the master."""
