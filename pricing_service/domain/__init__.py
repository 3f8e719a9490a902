"""Prices, the tiers they belong to, and which one applies. Standard library only."""
