"""The connections of the service to its databases, and which reads go where."""
