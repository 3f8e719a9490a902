"""A carrier to try things out with: an SMPP server on loopback that plays an operator and its phones."""

from sandbox_carriers.smpp.sandbox_carrier import SandboxCarrier
from sandbox_carriers.smpp.sandbox_settings import SandboxSettings

__all__ = ["SandboxCarrier", "SandboxSettings"]
