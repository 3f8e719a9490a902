"""The figures of a process for Prometheus: what every service has of them, and how they are served."""
