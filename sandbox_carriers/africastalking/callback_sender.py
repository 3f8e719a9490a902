"""Posts reports, opt-outs and messages from phones to the configured address, until they are acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import httpx
import structlog

from sandbox_carriers.africastalking.sandbox_account import Account, Sms
from sandbox_carriers.africastalking.sandbox_api_settings import AfricasTalkingSandboxSettings

log = structlog.get_logger()

IN_FLIGHT: Final = 20
TRIES: Final = 1_000
"""How often a post is tried; the carrier gives up as well."""
_FAILED: Final = frozenset({"Failed", "Rejected", "Expired", "AbsentSubscriber"})


class Callbacks:
    """Each post is tried until it is answered with 2xx."""

    def __init__(self, settings: AfricasTalkingSandboxSettings, account: Account, changed: Callable[[], None]) -> None:
        self._settings = settings
        self._account = account
        self._changed = changed
        self._room = asyncio.Semaphore(IN_FLIGHT)
        self._posts: set[asyncio.Task[bool]] = set()
        self._http = httpx.AsyncClient(timeout=10.0, trust_env=False, follow_redirects=False)
        self.url = settings.callback_url
        """Where to post, without the last part of the path; None for nowhere. Tests may set it."""

    @property
    def waiting(self) -> int:
        """Posts that are not acknowledged yet."""
        return len(self._posts)

    def report(self, sms: Sms) -> None:
        """Reports on a message as its behaviour says."""
        if self.url is not None and sms.behaviour.reports:
            self._start(self._report(sms, self._settings.report_delay_s))

    async def report_now(self, sms: Sms) -> None:
        """The same, at once; returns when all was acknowledged."""
        if self.url is not None:
            await self._report(sms, 0)

    def phone_writes(self, phone: str, to: str, text: str) -> asyncio.Task[bool]:
        """A phone sends a message to a short code or sender id; whether it was acknowledged."""
        fields = {
            "from": phone,
            "to": to,
            "text": text,
            "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S"),
            "id": f"in_{self._account.counts.requests}_{id(text):x}",
            "linkId": "sandbox-link",
        }
        return self._start(self._post("inbound", fields))

    def opts_out(self, phone: str, sender: str) -> asyncio.Task[bool]:
        """A phone asks for no more messages from a sender id; whether it was acknowledged."""
        self._account.opted_out.add((phone, sender))
        return self._start(self._post("opt-outs", {"phoneNumber": phone, "senderId": sender}))

    async def stop(self) -> None:
        """Gives up what is not acknowledged."""
        for post in self._posts:
            post.cancel()
        if self._posts:
            await asyncio.wait(self._posts)
        await self._http.aclose()

    async def _report(self, sms: Sms, delay_s: float) -> bool:
        await asyncio.sleep(delay_s)
        for status in sms.behaviour.reports:
            fields = {"id": sms.id, "status": status, "phoneNumber": sms.to, "networkCode": sms.network}
            if status in _FAILED and sms.behaviour.failure_reason:
                fields |= {"failureReason": sms.behaviour.failure_reason, "retryCount": "0"}
            self._account.counts.reports_sent += 1
            self._changed()
            if await self._post("delivery-reports", fields):
                self._account.counts.reports_acknowledged += 1
                sms.reports.append(status)
                self._changed()
        return True

    async def _post(self, route: str, fields: Mapping[str, str]) -> bool:
        for _ in range(TRIES):
            try:
                async with self._room:
                    response = await self._http.post(f"{self.url}/{route}", data=dict(fields))
            except httpx.HTTPError as error:
                log.info("at_sandbox.callback_failed", route=route, error=type(error).__name__)
            else:
                if response.is_success:
                    return True
                log.info("at_sandbox.callback_refused", route=route, status=response.status_code)
            await asyncio.sleep(self._settings.report_retry_s)
        return False

    def _start(self, post: Coroutine[Any, Any, bool]) -> asyncio.Task[bool]:
        task = asyncio.get_running_loop().create_task(post)
        self._posts.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, post: asyncio.Task[bool]) -> None:
        self._posts.discard(post)
        self._changed()
