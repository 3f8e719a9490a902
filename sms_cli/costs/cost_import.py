"""Imports files of prices into pricing, and exports them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from service_kit.grpc.timestamps import to_timestamp
from service_kit.settings import Address
from sms_cli.costs.cost_files import FileRow, file_key, place_in_file
from sms_cli.shared.call_failures import option_of
from sms_cli.shared.enum_words import enum_word
from sms_cli.shared.kes_amounts import kes, micros
from sms_cli.shared.level_names import LEVEL_NAMES, guard_name
from sms_cli.shared.service_calls import pricing_stub
from sms_cli.shared.terminal_instants import exact
from tukupay.sms.pricing.v1 import pricing_pb2 as pb

MAX_ROWS = 50_000
"""The most prices that pricing records in one transaction."""
_ROWS_OF_PART = 1_000
_DEADLINE_S = 600.0
_OPEN_END = (
    "the prices may or may not have been recorded, all of them or none: import the file again when pricing answers, "
    "which records nothing twice"
)

Progress = Callable[[int], None]
"""Called with the number of rows that pricing has checked."""


@dataclass(frozen=True, slots=True)
class Change:
    """The effect of one line of a file."""

    row: FileRow
    effect: pb.ImportEffect.ValueType
    before: Decimal | None
    """KES in effect at its instant before the import; None when there was no price."""
    touched_guards: Sequence[str]
    """The guards by which it is unusual."""

    @property
    def relative(self) -> Decimal:
        """The larger of new over old and old over new price; 0 without an old one."""
        low, high = sorted((self.before or Decimal(0), self.row.price))
        if self.before is None:
            return Decimal(0)
        return high / low if low else Decimal("Infinity") if high else Decimal(1)

    def record(self) -> dict[str, object]:
        """As JSON; prices are text, to stay exact."""
        return {
            "line": self.row.line,
            "level": LEVEL_NAMES[self.row.level],
            "customerId": self.row.customer,
            "appId": self.row.app,
            "effectiveFrom": exact(to_timestamp(self.row.effective_from)),
            "effect": effect_word(self.effect),
            "priceBefore": None if self.before is None else kes(micros(self.before)),
            "price": kes(micros(self.row.price)),
            "guards": list(self.touched_guards),
        }


def effect_word(effect: pb.ImportEffect.ValueType) -> str:
    """The effect for a person."""
    return enum_word(pb.ImportEffect, effect)


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """The options of an import."""

    author: str
    """The author of lines that name none."""
    allow_free: bool
    override_guards: bool

    def key_of(self, text: str) -> str:
        """The idempotency key of importing a file with these options, so that it is done once."""
        return file_key(text, self.author, self.allow_free, self.override_guards)

    def part(self, rows: Sequence[FileRow]) -> pb.ImportCostsInPartsRequest:
        """The part of an import with these rows."""
        return pb.ImportCostsInPartsRequest(
            rows=[
                pb.SetCostRequest(
                    level=row.level,
                    price_micros=micros(row.price),
                    customer_id=row.customer,
                    app_id=row.app,
                    reason=row.reason,
                    effective_from=to_timestamp(row.effective_from),
                    created_by=row.author or self.author,
                    allow_free=self.allow_free,
                    override_guards=self.override_guards,
                )
                for row in rows
            ]
        )


class CostImport:
    """Records the prices of a file, all or none."""

    def __init__(self, pricing: Address, rows: Sequence[FileRow]) -> None:
        self._pricing = pricing
        self._rows = rows

    async def try_out(self, options: ImportOptions, progress: Progress) -> list[Change]:
        """The effect that each line would have; nothing is recorded."""
        # The trial overrides guards, so that it names every line that touches one instead of the first.
        lenient = ImportOptions(options.author, options.allow_free, override_guards=True)
        imported, _ = await self._call(lenient, progress, dry_run=True)
        return [
            Change(
                row,
                done.effect,
                Decimal(done.previous_price_micros).scaleb(-6) if done.HasField("previous_price_micros") else None,
                tuple(guard_name(guard) for guard in done.cost.overridden_guards),
            )
            for row, done in zip(self._rows, imported, strict=True)
        ]

    async def record(
        self, options: ImportOptions, key: str, progress: Progress
    ) -> tuple[Sequence[pb.ImportedCost], bool]:
        """Records all lines in one transaction.

        Gives the effect of each, and whether an earlier import with the same key had recorded them.
        """
        return await self._call(options, progress, key=key)

    async def _call(
        self, options: ImportOptions, progress: Progress, *, dry_run: bool = False, key: str | None = None
    ) -> tuple[list[pb.ImportedCost], bool]:
        async def parts() -> AsyncGenerator[pb.ImportCostsInPartsRequest, None]:
            for start in range(0, len(self._rows), _ROWS_OF_PART):
                part = options.part(self._rows[start : start + _ROWS_OF_PART])
                if not start:
                    part.dry_run = dry_run
                    if key is not None:
                        part.idempotency_key = key
                yield part

        imported: list[pb.ImportedCost] = []
        replayed = False
        open_end = None if dry_run else _OPEN_END
        async with pricing_stub(self._pricing, deadline_s=_DEADLINE_S, named=self._named, open_end=open_end) as stub:
            async for answer in stub.ImportCostsInParts(parts()):
                progress(answer.checked_rows)
                imported += answer.rows
                replayed = replayed or answer.replayed
        return imported, replayed

    def _named(self, field: str) -> str:
        return place_in_file(self._rows, field) or option_of(field)


async def exported_costs(
    pricing: Address, level: pb.CostLevel.ValueType | None
) -> AsyncGenerator[Sequence[pb.Cost], None]:
    """Every price in effect now or later, in pages."""
    request = pb.ExportCostsRequest(level=level or pb.COST_LEVEL_UNSPECIFIED)
    async with pricing_stub(pricing, deadline_s=_DEADLINE_S) as stub:
        async for answer in stub.ExportCosts(request):
            yield answer.costs
