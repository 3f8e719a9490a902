"""The SMPP 3.4 carrier: windowed, self-healing binds that acknowledge a receipt only once it is stored."""

from messaging_service.adapters.carriers.smpp.carrier import SmppCarrier
from messaging_service.adapters.carriers.smpp.settings import SmppSettings

__all__ = ["SmppCarrier", "SmppSettings"]
