"""Rules of months, without any framework."""
