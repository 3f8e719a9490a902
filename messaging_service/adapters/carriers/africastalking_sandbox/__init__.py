"""Africa's Talking to try things out with: an HTTP server on loopback that plays the carrier and its phones."""

from messaging_service.adapters.carriers.africastalking_sandbox.sandbox import AfricasTalkingSandbox
from messaging_service.adapters.carriers.africastalking_sandbox.settings import AfricasTalkingSandboxSettings

__all__ = ["AfricasTalkingSandbox", "AfricasTalkingSandboxSettings"]
