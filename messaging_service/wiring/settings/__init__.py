"""Settings of the messaging service: a group a room, all from the environment."""
