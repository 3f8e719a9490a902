"""The Africa's Talking carrier: messages over HTTPS, one request each, with outcomes that are never guessed."""
