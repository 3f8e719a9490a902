"""What every noun of the REST API needs: bodies, queries, answers, problems, and calls to the services."""
