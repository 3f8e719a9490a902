"""Values under a key: the envelope, the data keys, and what keeps them."""
