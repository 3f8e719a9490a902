"""What is sealed and how it is opened: data keys in use, contents of messages, the blind index of phones."""
