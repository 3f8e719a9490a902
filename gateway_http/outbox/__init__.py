"""What became of every SMS: show, list, events, resend, cancel."""
