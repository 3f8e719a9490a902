"""TLS by files: certificates, keys and authorities, which are looked at again while they are used."""
