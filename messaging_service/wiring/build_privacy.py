"""Builds privacy: what puts older rows under keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from messaging_service.privacy.convert_rows import DUTY, ConvertRows
from messaging_service.privacy.metrics.privacy_metrics import PrivacyMetrics
from messaging_service.privacy.postgres.conversions import FingerprintConversion, MessageConversion
from messaging_service.wiring.messaging_process import Duties, Process

TABLES: Final = ("message", "idempotency")
"""Those that are converted."""


@dataclass(frozen=True, slots=True)
class WiredPrivacy:
    """What privacy offers."""

    duties: Duties


def build_privacy(process: Process) -> WiredPrivacy:
    """Puts privacy together; nothing runs yet."""
    metrics, ring, pool = PrivacyMetrics(process.registry, TABLES), process.ring, process.pools.notices
    if ring is None:
        return WiredPrivacy(duties={})
    conversions = [MessageConversion(pool, ring), FingerprintConversion(pool, ring)]
    converting = ConvertRows(conversions, process.failures, metrics)
    return WiredPrivacy(duties={DUTY: converting.run})
