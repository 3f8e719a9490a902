"""The Africa's Talking carrier: messages over HTTPS, one request each, with outcomes that are never guessed."""

from messaging_service.adapters.carriers.africastalking.callbacks import AfricasTalkingCallbacks
from messaging_service.adapters.carriers.africastalking.carrier import AfricasTalkingCarrier
from messaging_service.adapters.carriers.africastalking.settings import AfricasTalkingSettings

__all__ = ["AfricasTalkingCallbacks", "AfricasTalkingCarrier", "AfricasTalkingSettings"]
