"""Who calls over HTTP: credentials, what is known of API keys, and how bad ones are limited."""
