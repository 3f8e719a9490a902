"""A carrier to try things out with: an SMPP server on loopback that plays an operator and its phones."""

from messaging_service.adapters.carriers.sandbox.carrier import SandboxCarrier
from messaging_service.adapters.carriers.sandbox.settings import SandboxSettings

__all__ = ["SandboxCarrier", "SandboxSettings"]
