"""Who calls, and what they may do: the same in every service and in the gateway."""
