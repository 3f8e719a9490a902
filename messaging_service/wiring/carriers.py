"""The carriers that the settings name, built."""

from __future__ import annotations

import os

from messaging_service.carriers.africastalking.callbacks import AfricasTalkingCallbacks
from messaging_service.carriers.africastalking.carrier import AfricasTalkingCarrier
from messaging_service.carriers.africastalking.settings import AfricasTalkingSettings
from messaging_service.carriers.bind_leases import BindLeases
from messaging_service.carriers.callback_reader import CallbackReader
from messaging_service.carriers.carrier import CarrierSinks
from messaging_service.carriers.carrier_fleet import RunningCarrier
from messaging_service.carriers.files.carriers_file import (
    CarrierPlan,
    CarrierSpec,
    one_carrier,
    read_carriers_file,
)
from messaging_service.carriers.smpp.carrier import SmppCarrier
from messaging_service.carriers.smpp.settings import SmppSettings
from messaging_service.receipts.carrier_callbacks import CarrierCallbacks
from messaging_service.wiring.settings.messaging_settings import MessagingSettings


def carrier_plan(settings: MessagingSettings) -> CarrierPlan:
    """The carriers and routes that the settings name. Raises SettingsError for a file that is wrong."""
    if settings.carriers.carriers_file is not None:
        return read_carriers_file(settings.carriers.carriers_file, os.environ)
    assert settings.carriers.smpp_host and settings.carriers.smpp_port and settings.carriers.smpp_system_id  # noqa: PT018, S101 - cross_check
    return one_carrier(
        settings.carriers.smpp_name,
        SmppSettings(
            host=settings.carriers.smpp_host,
            port=settings.carriers.smpp_port,
            system_id=settings.carriers.smpp_system_id,
            password=settings.carriers.smpp_password or "",
            system_type=settings.carriers.smpp_system_type,
            binds=settings.carriers.smpp_binds,
            max_binds=settings.carriers.smpp_max_binds,
            lease_s=settings.carriers.smpp_bind_lease_s,
            window=settings.carriers.smpp_window,
            response_timeout_s=settings.carriers.smpp_response_timeout_s,
            enquire_link_s=settings.carriers.smpp_enquire_link_s,
        ),
    )


def built_carrier(spec: CarrierSpec, sinks: CarrierSinks, leases: BindLeases) -> RunningCarrier:
    """The carrier of a specification, not started."""
    if isinstance(spec.settings, AfricasTalkingSettings):
        return AfricasTalkingCarrier(spec.settings, sinks, spec.name)
    return SmppCarrier(spec.settings, sinks, spec.name, leases)


def callbacks_of(plan: CarrierPlan, sinks: CarrierSinks) -> CarrierCallbacks:
    """Where the carriers over HTTP post to, by name."""
    readers: dict[str, CallbackReader] = {
        spec.name: AfricasTalkingCallbacks(spec.name, spec.settings.receipt_states)
        for spec in plan.carriers
        if isinstance(spec.settings, AfricasTalkingSettings)
    }
    return CarrierCallbacks(readers, sinks.receipts, sinks.inbound)
