"""Builds privacy: keys of texts, their retention, and the erasure of phones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from messaging_service.privacy import convert_rows, keys_needed, text_retention
from messaging_service.privacy.convert_rows import ConvertRows
from messaging_service.privacy.erase_phone import ErasePhone
from messaging_service.privacy.grpc.privacy_servicer import PrivacyServicer
from messaging_service.privacy.keys_needed import KeysNeeded
from messaging_service.privacy.metrics.privacy_metrics import PrivacyMetrics
from messaging_service.privacy.postgres.conversions import FingerprintConversion, MessageConversion
from messaging_service.privacy.postgres.postgres_data_keys import PostgresDataKeys
from messaging_service.privacy.postgres.postgres_eraser import PostgresEraser
from messaging_service.privacy.postgres.postgres_retention import PostgresRetention
from messaging_service.privacy.postgres.word_conversions import (
    BodyConversion,
    EventConversion,
    ReceiptConversion,
    SecretConversion,
)
from messaging_service.privacy.rotate_keys import RotateKeys
from messaging_service.privacy.sealing.rewrapping import Rewrapping
from messaging_service.privacy.text_retention import EraseOldTexts, SetTextRetention
from messaging_service.shared.numbering.phone_number_rules import phone_number_problem
from messaging_service.wiring.messaging_process import Duties, Process, Servicers
from tukupay.sms.messaging.v1 import privacy_pb2_grpc

TABLES: Final = ("message", "idempotency", "message_event", "receipt", "webhook_endpoint", "webhook_delivery")
"""Those that are converted."""


@dataclass(frozen=True, slots=True)
class WiredPrivacy:
    """What privacy offers."""

    servicers: Servicers
    duties: Duties
    problem: Callable[[], str | None]
    """Why the process must not take messages, in words for an operator; None while it may."""


def build_privacy(process: Process) -> WiredPrivacy:
    """Puts privacy together; nothing runs yet."""
    metrics, pool = PrivacyMetrics(process.registry, TABLES), process.pools.notices
    retention = PostgresRetention(pool, process.settings.privacy.text_retention_days)
    servicer = PrivacyServicer(
        ErasePhone(PostgresEraser(pool, process.ring), phone_number_problem),
        RotateKeys(Rewrapping(PostgresDataKeys(pool), process.wrapper)),
        SetTextRetention(retention),
    )
    keys = _keys(process, metrics)
    return WiredPrivacy(
        servicers=(partial(privacy_pb2_grpc.add_PrivacyServiceServicer_to_server, servicer),),
        duties={
            text_retention.DUTY: EraseOldTexts(retention, process.failures, metrics).run,
            **keys.duties,
        },
        problem=keys.problem,
    )


@dataclass(frozen=True, slots=True)
class _Keys:
    """What a process does about the keys of texts."""

    duties: Duties
    problem: Callable[[], str | None] = lambda: None


def _keys(process: Process, metrics: PrivacyMetrics) -> _Keys:
    """Puts rows of before under keys; a process without keys watches that none are needed."""
    ring, pool = process.ring, process.pools.notices
    if ring is None:
        needed = KeysNeeded(PostgresDataKeys(pool), process.plain.refuse, process.failures)
        return _Keys({keys_needed.DUTY: needed.run}, needed.problem)
    conversions = [
        MessageConversion(pool, ring),
        FingerprintConversion(pool, ring),
        EventConversion(pool, ring),
        ReceiptConversion(pool, ring),
        SecretConversion(pool, ring),
        BodyConversion(pool, ring),
    ]
    return _Keys({convert_rows.DUTY: ConvertRows(conversions, process.failures, metrics).run})
