"""The room over gRPC."""
