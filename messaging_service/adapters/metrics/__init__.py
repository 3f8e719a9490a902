"""The figures of the messaging service, for Prometheus."""
