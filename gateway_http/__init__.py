"""REST in, gRPC out: parses, calls the services, renders. Owns no data and no rules."""
