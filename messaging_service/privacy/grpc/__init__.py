"""PrivacyService over gRPC."""
