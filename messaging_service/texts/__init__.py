"""Encodings, segments, and advice on texts."""
