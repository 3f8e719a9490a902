"""API keys: who may call, as what, and for how long."""
