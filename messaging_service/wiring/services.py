"""The gRPC services, by name, for health and reflection."""

from __future__ import annotations

from tukupay.sms.common.v1 import audit_pb2
from tukupay.sms.messaging.v1 import (
    access_pb2,
    accounts_pb2,
    alerts_pb2,
    carrier_callbacks_pb2,
    carriers_pb2,
    channels_pb2,
    events_pb2,
    feedback_pb2,
    messaging_pb2,
    privacy_pb2,
    reports_pb2,
    suppressions_pb2,
    webhooks_pb2,
)

SERVICES = tuple(
    service.full_name
    for descriptor in (
        messaging_pb2.DESCRIPTOR,
        access_pb2.DESCRIPTOR,
        accounts_pb2.DESCRIPTOR,
        alerts_pb2.DESCRIPTOR,
        audit_pb2.DESCRIPTOR,
        carriers_pb2.DESCRIPTOR,
        carrier_callbacks_pb2.DESCRIPTOR,
        channels_pb2.DESCRIPTOR,
        events_pb2.DESCRIPTOR,
        feedback_pb2.DESCRIPTOR,
        privacy_pb2.DESCRIPTOR,
        reports_pb2.DESCRIPTOR,
        suppressions_pb2.DESCRIPTOR,
        webhooks_pb2.DESCRIPTOR,
    )
    for service in descriptor.services_by_name.values()
)
"""Every service of the protos."""
