"""Who changed what: a record that is only ever added to, the same in every service."""
