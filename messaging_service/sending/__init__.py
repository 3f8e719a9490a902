"""Sending: accepting, claiming, submitting, settling, resending, cancelling."""
