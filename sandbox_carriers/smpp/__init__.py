"""A carrier to try things out with: an SMPP server on loopback that plays an operator and its phones."""

from sandbox_carriers.smpp.carrier import SandboxCarrier
from sandbox_carriers.smpp.settings import SandboxSettings

__all__ = ["SandboxCarrier", "SandboxSettings"]
