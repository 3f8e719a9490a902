"""Africa's Talking to try things out with: an HTTP server on loopback that plays the carrier and its phones."""

from sandbox_carriers.africastalking.sandbox import AfricasTalkingSandbox
from sandbox_carriers.africastalking.sandbox_api_settings import AfricasTalkingSandboxSettings

__all__ = ["AfricasTalkingSandbox", "AfricasTalkingSandboxSettings"]
