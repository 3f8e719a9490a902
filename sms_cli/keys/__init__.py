"""API keys at the terminal."""
