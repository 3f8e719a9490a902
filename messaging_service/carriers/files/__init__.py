"""Settings that come as files."""
