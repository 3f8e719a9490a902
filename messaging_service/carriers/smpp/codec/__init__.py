"""PDUs, texts, receipts and status codes of SMPP 3.4, as bytes and as objects."""
