"""gRPC in front of the use cases; generated messages end here."""
