"""Builds the service from its settings; only this constructs things."""
