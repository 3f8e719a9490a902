"""A mail relay on a real port of the loopback: enough of SMTP for a client that behaves, and it keeps what came."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

from service_kit.web.stop_accepting import stop_accepting

DEADLINE_S = 20.0


@dataclass(frozen=True)
class Mail:
    """One mail as it was handed over."""

    sender: str
    recipients: tuple[str, ...]
    message: EmailMessage

    @property
    def text(self) -> str:
        """Its plain text."""
        body = self.message.get_body(("plain",))
        assert body is not None
        return str(body.get_content()).replace("\r\n", "\n")


@dataclass
class Relay:
    """Takes all mail, unless a test says otherwise."""

    port: int = 0
    tls: ssl.SSLContext | None = None
    """For STARTTLS."""
    refused: dict[str, str] = field(default_factory=dict)
    """Answers to recipients who are refused, such as `550 5.1.1 nobody`."""
    mails: list[Mail] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, count: int) -> list[Mail]:
        """What came, as soon as there is so much."""
        async with asyncio.timeout(DEADLINE_S):
            while len(self.mails) < count:
                self.news.clear()
                await self.news.wait()
        return self.mails

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sender, recipients = "", list[str]()
        writer.write(b"220 relay.test ESMTP\r\n")
        try:
            while line := (await reader.readline()).decode().strip():
                command, _, rest = line.partition(" ")
                match command.upper():
                    case "EHLO":
                        answer = "250-relay.test\r\n250-STARTTLS\r\n250 AUTH PLAIN"
                    case "STARTTLS":
                        assert self.tls is not None
                        writer.write(b"220 go on\r\n")
                        await writer.start_tls(self.tls)
                        continue
                    case "AUTH":
                        self.logins.append(base64.b64decode(rest.split(" ")[1]).decode().replace("\0", ":"))
                        answer = "235 welcome"
                    case "MAIL":
                        sender, recipients, answer = _address(rest), [], "250 ok"
                    case "RCPT":
                        answer = self.refused.get(_address(rest), "250 ok")
                        recipients += [_address(rest)] if answer == "250 ok" else []
                    case "DATA":
                        writer.write(b"354 go on\r\n")
                        self._keep(sender, recipients, await reader.readuntil(b"\r\n.\r\n"))
                        answer = "250 taken"
                    case "QUIT":
                        answer = "221 bye"
                    case _:
                        answer = "250 ok"
                writer.write(answer.encode() + b"\r\n")
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            return
        finally:
            writer.close()

    def _keep(self, sender: str, recipients: list[str], data: bytes) -> None:
        message = message_from_bytes(data[:-3].replace(b"\r\n..", b"\r\n."), policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.mails.append(Mail(sender, tuple(recipients), message))
        self.news.set()


def _address(rest: str) -> str:
    return rest.partition("<")[2].partition(">")[0]


@asynccontextmanager
async def relay(tls: ssl.SSLContext | None = None, *, at_once: bool = False) -> AsyncIterator[Relay]:
    """A relay on a free port of the loopback; `at_once`: TLS from the first byte on, and not by STARTTLS."""
    made = Relay(tls=tls)
    server = await asyncio.start_server(made._serve, "127.0.0.1", 0, ssl=tls if at_once else None)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        await stop_accepting(server)
