"""API keys: who may call as whom, from where, and for how long."""
