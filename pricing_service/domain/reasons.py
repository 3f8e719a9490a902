"""Every reason that the pricing service raises; `make protos` publishes them as tukupay.sms.pricing.reasons."""

from __future__ import annotations

from typing import Final

from service_kit import reasons as common
from service_kit.reasons import ReasonCatalogue

REASONS: Final = ReasonCatalogue()

# Of requests as a whole.
NO_PRICE: Final = REASONS.add("NO_PRICE", "No price is in effect.")
COST_NOT_FOUND: Final = REASONS.add("COST_NOT_FOUND", "No such cost.")
IDEMPOTENCY_KEY_REUSED: Final = REASONS.add("IDEMPOTENCY_KEY_REUSED", "The Idempotency-Key stands for another request.")
PRICE_GUARD: Final = REASONS.add("PRICE_GUARD", "The price or its date is unusual for the level.")
COST_IN_FORCE: Final = REASONS.add("COST_IN_FORCE", "The cost has taken effect.")
COST_WITHDRAWN: Final = REASONS.add("COST_WITHDRAWN", "The cost was withdrawn before.")
OVERLOADED: Final = REASONS.take(common.OVERLOADED)
DATABASE_UNAVAILABLE: Final = REASONS.take(common.DATABASE_UNAVAILABLE)
DATABASE_NOT_READY: Final = REASONS.take(common.DATABASE_NOT_READY)
PART_OVERDUE: Final = REASONS.add("PART_OVERDUE", "The next part of an import did not come in time.")

# Of single fields.
REQUIRED: Final = REASONS.take(common.REQUIRED)
TOO_PRECISE: Final = REASONS.take(common.TOO_PRECISE)
TOO_LONG: Final = REASONS.add("TOO_LONG", "A text has more characters than allowed.")
MALFORMED: Final = REASONS.take(common.MALFORMED)
NOT_ALLOWED: Final = REASONS.take(common.NOT_ALLOWED)
INVALID_LEVEL: Final = REASONS.take(common.INVALID_LEVEL)
OUT_OF_RANGE: Final = REASONS.take(common.OUT_OF_RANGE)
REPEATED: Final = REASONS.take(common.REPEATED)
INVALID_PAGE_TOKEN: Final = REASONS.take(common.INVALID_PAGE_TOKEN)
ABOVE_CEILING: Final = REASONS.add("ABOVE_CEILING", "Guard: the price is higher than prices of the level normally are.")
RELATIVE_CHANGE: Final = REASONS.add(
    "RELATIVE_CHANGE", "Guard: the price is far from the one in effect at that instant."
)
FAR_PAST: Final = REASONS.add("FAR_PAST", "Guard: the price would take effect unusually long ago.")
FAR_FUTURE: Final = REASONS.add("FAR_FUTURE", "Guard: the price would take effect unusually far ahead.")
