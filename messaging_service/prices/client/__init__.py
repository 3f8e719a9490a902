"""The client of pricing_service."""
