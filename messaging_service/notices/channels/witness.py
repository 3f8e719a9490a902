"""Why a post of apprise was not taken, and what its requests may not choose. Imported by the child process only."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import wraps
from typing import Any

import requests

from messaging_service.notices.channels.guard import NotAllowedError
from messaging_service.notices.domain.endpoints import answer_of
from messaging_service.notices.domain.retries import retry_after


class Witness:
    """Sees why a post was not taken, which apprise does not return, and holds requests to the rules.

    apprise returns true or false, and writes the reason to a log that also holds the target's secrets.
    """

    def __init__(self) -> None:
        self.status: int | None = None
        """The HTTP status of the last answer."""
        self.error: str | None = None
        """A stable word for what went wrong last."""
        self.retry_after_s: float | None = None
        """How long the service asked in its last answer to be left alone."""
        self._wrap_requests()
        self._wrap_mail()

    def forget(self) -> None:
        """Before the next post."""
        self.status = self.error = self.retry_after_s = None

    def raised(self, error: BaseException) -> None:
        """Something went wrong without an answer."""
        self.error = _word_for(error)

    def _wrap_requests(self) -> None:
        send = requests.Session.send

        @wraps(send)
        def guarded(session: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # noqa: ANN401 - what requests takes
            options |= {"allow_redirects": False, "verify": True, "proxies": {}}
            try:
                response = send(session, request, **options)
            except Exception as error:
                self.raised(error)
                raise
            self.status = response.status_code
            self.error = answer_of(response.status_code).error
            asked = retry_after(response.headers.get("Retry-After"), datetime.now(UTC))
            self.retry_after_s = None if asked is None else asked.total_seconds()
            return response

        # Every request goes through here, whichever function of the library a service uses.
        setattr(requests.Session, "send", guarded)  # noqa: B010 - mypy lets no method be assigned to

    def _wrap_mail(self) -> None:
        for name in ("connect", "starttls", "login", "sendmail"):
            setattr(smtplib.SMTP, name, self._watched(getattr(smtplib.SMTP, name)))

    def _watched(self, method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def watched(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - stands where the method stands
            try:
                return method(*arguments, **options)
            except Exception as error:
                self.raised(error)
                raise

        return watched


def _word_for(error: BaseException) -> str:
    causes = _causes(error)
    words: Sequence[tuple[type[BaseException] | tuple[type[BaseException], ...], str]] = (
        (NotAllowedError, "TARGET_REFUSED"),
        (smtplib.SMTPRecipientsRefused, "ADDRESS_REFUSED"),
        ((smtplib.SMTPAuthenticationError, smtplib.SMTPSenderRefused), "RELAY_REFUSED"),
        ((ssl.SSLError, requests.exceptions.SSLError), "TLS_FAILED"),
        (socket.gaierror, "NAME_NOT_RESOLVED"),
        ((TimeoutError, requests.exceptions.Timeout), "TIMED_OUT"),
        (ConnectionRefusedError, "NOT_CONNECTED"),
        (requests.exceptions.ConnectionError, "NOT_CONNECTED"),
        (smtplib.SMTPException, "ANSWERED_WITH_ERROR"),
    )
    return next((word for kind, word in words if any(isinstance(cause, kind) for cause in causes)), "BROKEN_OFF")


def _causes(error: BaseException) -> Sequence[BaseException]:
    """An exception with what led to it, also where urllib3 keeps that in `reason`."""
    found: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting and len(found) < 20:
        one = waiting.pop()
        if isinstance(one, BaseException) and one not in found:
            found.append(one)
            waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
    return found
