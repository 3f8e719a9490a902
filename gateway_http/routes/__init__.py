"""The REST routes: each turns one request into one call and its answer into one response."""
