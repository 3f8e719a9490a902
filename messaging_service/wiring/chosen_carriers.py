"""The carriers and routes that the settings name."""

from __future__ import annotations

import os

from messaging_service.carriers.africastalking.africastalking_carrier import AfricasTalkingCarrier
from messaging_service.carriers.africastalking.africastalking_settings import AfricasTalkingSettings
from messaging_service.carriers.bind_leases import BindLeases
from messaging_service.carriers.carrier import CarrierSinks
from messaging_service.carriers.carrier_fleet import RunningCarrier
from messaging_service.carriers.files.carriers_file import (
    CarrierPlan,
    CarrierSpec,
    one_carrier,
    read_carriers_file,
)
from messaging_service.carriers.smpp.smpp_carrier import SmppCarrier
from messaging_service.carriers.smpp.smpp_settings import SmppSettings
from messaging_service.wiring.settings.carrier_settings import CarrierSettings


def carrier_plan(settings: CarrierSettings) -> CarrierPlan:
    """The carriers and routes that the settings name. Raises SettingsError for a file that is wrong."""
    if settings.carriers_file is not None:
        return read_carriers_file(settings.carriers_file, os.environ)
    assert settings.smpp_host and settings.smpp_port and settings.smpp_system_id  # noqa: PT018, S101 - cross_check
    return one_carrier(
        settings.smpp_name,
        SmppSettings(
            host=settings.smpp_host,
            port=settings.smpp_port,
            system_id=settings.smpp_system_id,
            password=settings.smpp_password or "",
            system_type=settings.smpp_system_type,
            binds=settings.smpp_binds,
            max_binds=settings.smpp_max_binds,
            lease_s=settings.smpp_bind_lease_s,
            window=settings.smpp_window,
            response_timeout_s=settings.smpp_response_timeout_s,
            enquire_link_s=settings.smpp_enquire_link_s,
        ),
        is_sandbox=settings.smpp_sandbox,
    )


def built_carrier(spec: CarrierSpec, sinks: CarrierSinks, leases: BindLeases) -> RunningCarrier:
    """The carrier of a specification, not started."""
    if isinstance(spec.settings, AfricasTalkingSettings):
        return AfricasTalkingCarrier(spec.settings, sinks, spec.name)
    return SmppCarrier(spec.settings, sinks, spec.name, leases)
