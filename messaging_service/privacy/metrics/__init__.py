"""Figures of privacy."""
