"""Builds the carriers, and what operators do to them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from messaging_service.carriers.africastalking.africastalking_callbacks import AfricasTalkingCallbacks
from messaging_service.carriers.africastalking.africastalking_settings import AfricasTalkingSettings
from messaging_service.carriers.callback_reader import CallbackReader
from messaging_service.carriers.carrier import CarrierSinks, InboundSink
from messaging_service.carriers.carrier_fleet import Fleet
from messaging_service.carriers.control_carriers import ControlCarriers
from messaging_service.carriers.domain.routing import Routes
from messaging_service.carriers.files.carriers_file import CarrierPlan
from messaging_service.carriers.grpc.carrier_servicer import CarrierServicer
from messaging_service.carriers.metrics.carrier_metrics import CarrierCollector
from messaging_service.carriers.metrics.fleet_events import CountedFleet
from messaging_service.carriers.postgres.carrier_registry import PostgresCarrierRegistry
from messaging_service.carriers.postgres.postgres_bind_leases import PostgresBindLeases
from messaging_service.carriers.real_phones import from_real_phones
from messaging_service.wiring.messaging_process import Duties, Process, Servicers
from tukupay.sms.messaging.v1 import carriers_pb2_grpc

_CONTROL_S = 1.0
"""Seconds between two looks at what operators want of carriers."""


@dataclass(frozen=True, slots=True)
class WiredCarriers:
    """What carriers offer."""

    servicers: Servicers
    duties: Duties
    fleet: Fleet
    control: ControlCarriers
    routes: Routes
    readers: dict[str, CallbackReader]
    """Who reads the posts of carriers over HTTP, by their names."""
    inbound: InboundSink
    """Takes what phones wrote, by whichever carrier."""


def build_carriers(process: Process, plan: CarrierPlan, sinks: CarrierSinks) -> WiredCarriers:
    """Puts the carriers of a plan together, not started."""
    pool, replica = process.pools.main, process.replica
    names = [spec.name for spec in plan.carriers]
    sinks = replace(sinks, inbound=from_real_phones(sinks.inbound, names, plan.sandboxes))
    leases = PostgresBindLeases(pool, replica)
    carriers = [process.seams.carrier(spec, sinks, leases) for spec in plan.carriers]
    fleet = Fleet(
        carriers,
        CountedFleet(process.registry, names),
        plan.breaker,
        drain_s=process.settings.drain_s,
        sandboxes=plan.sandboxes,
    )
    control = ControlCarriers(fleet, PostgresCarrierRegistry(pool), replica, process.failures, every_s=_CONTROL_S)
    process.registry.register(CarrierCollector(fleet.statuses))
    return WiredCarriers(
        servicers=(partial(carriers_pb2_grpc.add_CarrierServiceServicer_to_server, CarrierServicer(control)),),
        duties={"carriers": control.run},
        fleet=fleet,
        control=control,
        routes=plan.routes,
        readers=_readers(plan),
        inbound=sinks.inbound,
    )


def _readers(plan: CarrierPlan) -> dict[str, CallbackReader]:
    return {
        spec.name: AfricasTalkingCallbacks(spec.name, spec.settings.receipt_states)
        for spec in plan.carriers
        if isinstance(spec.settings, AfricasTalkingSettings)
    }
