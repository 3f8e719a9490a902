"""The long campaign of fuzzed PDUs: `python -m tests.faults.fuzz_smpp --pdus 1000000`.

A carrier sends PDUs that no honest peer sends, over loopback, and now and then breaks the framing, so that links end
and are made anew. Prints one JSON object; exits with 1 when something broke or memory grew by more than the bound.
Both ends live in this process, so the growth counts both.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import sys
import time
from itertools import islice
from pathlib import Path
from typing import Any

import structlog

from messaging_service.carriers.carrier import CarrierSinks
from messaging_service.carriers.domain.submission import Submission
from messaging_service.carriers.smpp.codec.pdu import ENQUIRE_LINK, ENQUIRE_LINK_RESP, bare
from messaging_service.carriers.smpp.smpp_carrier import SmppCarrier
from messaging_service.carriers.smpp.smpp_settings import SmppSettings
from messaging_service.texts.segmentation import segment
from tests.integration.messaging.carriers.smpp.conftest import SilentServer
from tests.integration.messaging.carriers.smpp.fuzzing import FATAL, Fuzzer

PDUS_A_ROUND = 2_000
WARM_UP = 50_000
LAST = 123_456_789
MOST_GROWTH_MB = 50.0


class Count:
    """Sinks that count."""

    def __init__(self) -> None:
        self.stored: dict[str, int] = {"receipts": 0, "inbound": 0, "late": 0}

    def sinks(self) -> CarrierSinks:
        async def receipts(items: Any) -> None:
            self.stored["receipts"] += len(items)

        async def inbound(items: Any) -> None:
            self.stored["inbound"] += len(items)

        async def late(items: Any) -> None:
            self.stored["late"] += len(items)

        return CarrierSinks(receipts, inbound, late)


def resident_mb() -> float:
    """Memory of this process in the machine, after a collection."""
    gc.collect()
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * 4_096 / 1_048_576


async def campaign(pdus: int, seed: int) -> dict[str, Any]:
    """Sends them, and says what came of it."""
    faults: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(str(context["message"])))
    count, server, source = Count(), SilentServer(), Fuzzer(seed).pdus()
    await server.start()
    settings = SmppSettings(
        "127.0.0.1",
        server.port,
        "fuzz",
        "",
        country_code="254",
        reconnect_min_s=0.001,
        reconnect_max_s=0.01,
        response_timeout_s=0.3,  # A link that unbinds waits as long for answers, and gets none here.
    )
    carrier = SmppCarrier(settings, count.sinks())
    await carrier.start()
    began, sent, links, first_mb, most_mb = time.monotonic(), 0, 0, 0.0, 0.0
    while sent < pdus:
        link = await server.next_bind()
        assert await carrier.wait_until_up(10.0)
        submits = [
            asyncio.create_task(carrier.submit(slot, Submission("m", "TUKUPAY", "+254712345678", segment("Hi"), 1)))
            for slot in (carrier.try_reserve() for _ in range(3))
            if slot is not None
        ]
        for pdu in islice(source, PDUS_A_ROUND):
            link.send(pdu)
        link.send(bare(ENQUIRE_LINK, LAST))
        async with asyncio.timeout(60.0):
            while not link.lost.done() and not link.answered(ENQUIRE_LINK_RESP, LAST):
                await link.more()
        link.pdus.clear()
        link.send(FATAL[links % len(FATAL)])
        async with asyncio.timeout(60.0):
            await link.lost
            await asyncio.gather(*submits)
        server.links.clear()
        sent, links = sent + PDUS_A_ROUND, links + 1
        if sent == WARM_UP:
            first_mb = resident_mb()
        if sent % WARM_UP == 0:
            most_mb = max(most_mb, resident_mb())
    seconds = time.monotonic() - began
    await carrier.stop(1.0)
    await server.stop()
    return {
        "pdus": sent,
        "seed": seed,
        "links": links,
        "seconds": round(seconds, 1),
        "stored": count.stored,
        "faults": faults[:10],
        "memoryAfterWarmUpMb": round(first_mb, 1),
        "memoryAtMostMb": round(most_mb, 1),
        "memoryGrowthMb": round(most_mb - first_mb, 1),
    }


def main() -> int:
    """Runs the campaign."""
    parser = argparse.ArgumentParser(description="Sends fuzzed PDUs to the SMPP client.")
    parser.add_argument("--pdus", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=24)
    chosen = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    result = asyncio.run(campaign(chosen.pdus, chosen.seed))
    sys.stdout.write(json.dumps(result, indent=2) + "\n")
    return 1 if result["faults"] or result["memoryGrowthMb"] > MOST_GROWTH_MB else 0


if __name__ == "__main__":
    sys.exit(main())
