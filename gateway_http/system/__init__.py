"""Probes, the documentation, and the catalogue of failures."""
