"""The price book over gRPC: asking it, following its changes, and checking what is remembered of it."""
