"""What operators do to a whole system, in programs of their own: `make failover-test`, `restore-test`, `upgrade-test`.

They take minutes and are not part of the suite; whoever names this folder runs them.
"""
