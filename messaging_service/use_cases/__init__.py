"""What the service does, against ports; owns the transaction boundaries."""
