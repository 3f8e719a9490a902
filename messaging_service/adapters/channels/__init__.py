"""Telling people of events, through messengers and by email."""
