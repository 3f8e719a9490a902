"""T1: requests become rows with their money on hold, many in one transaction.

Lock order, the same everywhere: dispatch, message, account (by id), API key (by id), then new rows. Accounts are locked
before any idempotency key is written, so two transactions with the same keys queue at the account.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from messaging_service.abuse.postgres.send_guards import Counting, Guarded, SendGuards
from messaging_service.accounts.domain.account import UnknownAccounts, unknown_account
from messaging_service.opt_outs.domain.suppression import Exemption, opted_out
from messaging_service.privacy.sealing.key_ring import keys_unavailable
from messaging_service.privacy.sealing.message_contents import Contents, Sealer
from messaging_service.sending.domain.repetition import other_request
from messaging_service.sending.outbox import Acceptance, Accepted
from messaging_service.sending.postgres.accept_keys import Entered, Key, enter, forget_keys, known_messages
from messaging_service.sending.postgres.accept_messages import Owner, record
from service_kit.access.principal import AccessMode
from service_kit.errors import ServiceError
from service_kit.postgres.database import Connection, Transaction


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of a batch, before its answers: entries of earlier requests are as they are stored."""

    by_key: dict[Key, Acceptance]
    """The first request with each key."""
    results: dict[Key, Accepted | ServiceError]
    fingerprints: dict[Key, bytes]
    """Of the requests that made the entries of keys used before, as they are stored."""

    async def opened(self, contents: Contents) -> Decided:
        """The same with the texts of earlier entries, or KEYS_UNAVAILABLE for those that cannot be had now."""
        earlier = [
            (key, result.message)
            for key, result in self.results.items()
            if isinstance(result, Accepted) and result.message.content is not None
        ]
        if not earlier:
            return self
        messages = await contents.opened_where_possible([message for _, message in earlier])
        opened: dict[Key, Accepted | ServiceError] = {
            key: Accepted(message, replayed=message.id != self.by_key[key].message_id)
            if message.content is None
            else keys_unavailable()
            for (key, _), message in zip(earlier, messages, strict=True)
        }
        return Decided(self.by_key, {**self.results, **opened}, self.fingerprints)

    def answers(self, batch: Sequence[Acceptance], sealer: Sealer) -> list[Accepted | ServiceError]:
        """The answer to each request of the batch."""
        return [self._answer(acceptance, sealer) for acceptance in batch]

    def _answer(self, acceptance: Acceptance, sealer: Sealer) -> Accepted | ServiceError:
        key = (acceptance.request.account_id, acceptance.key)
        first = self.by_key[key]
        # A stored fingerprint may be under a key; that of the request it belongs to says the same.
        stored = self.fingerprints.get(key, first.fingerprint)
        is_same = stored == acceptance.fingerprint or sealer.is_stored(acceptance.fingerprint, stored)
        result = self.results[key]
        recorded = result.message if isinstance(result, Accepted) else first.request
        reused = other_request(
            acceptance.key,
            acceptance.request,
            acceptance.fingerprint,
            recorded,
            acceptance.fingerprint if is_same else stored,
        )
        if reused is not None:
            return reused
        if acceptance is not first and isinstance(result, Accepted):
            return Accepted(result.message, replayed=True)
        return result


async def accept(
    transaction: Transaction,
    batch: Sequence[Acceptance],
    owner: Owner,
    exemption: Exemption,
    unknown_accounts: UnknownAccounts,
    *,
    sealer: Sealer,
    counting: Counting,
) -> Decided:
    """Records a batch inside the caller's transaction; see Outbox.accept."""
    by_key: dict[Key, Acceptance] = {}
    for acceptance in batch:
        by_key.setdefault((acceptance.request.account_id, acceptance.key), acceptance)
    entered = await enter(transaction, by_key, exemption, unknown_accounts, sealer=sealer, counting=counting)
    results: dict[Key, Accepted | ServiceError] = {}
    fingerprints: dict[Key, bytes] = {}
    known = {key: item for key, item in by_key.items() if item.message_id not in entered.new}
    if known:
        results = _not_recorded(known, entered)
        for key, message, fingerprint in await known_messages(transaction.connection, known):
            results[key] = Accepted(message, replayed=message.id != known[key].message_id)
            fingerprints[key] = fingerprint
    new = {key: item for key, item in by_key.items() if item.message_id in entered.new}
    affordable, refused = await _affordable(transaction.connection, new, entered)
    results |= refused
    counts = [*entered.guards.kept(), *entered.shares.kept()]
    if affordable:
        for message in await record(transaction, affordable, owner, sealer, counts):
            results[message.account_id, message.client_message_id] = Accepted(message, replayed=False)
    elif counts:
        await transaction.run(*counts)
    if refused:
        await forget_keys(transaction.connection, list(refused))
    return Decided(by_key, results, fingerprints)


def _not_recorded(known: dict[Key, Acceptance], entered: Entered) -> dict[Key, Accepted | ServiceError]:
    """Why requests whose keys were not written are refused, unless their keys were used before."""
    refused: dict[Key, Accepted | ServiceError] = {}
    for key, item in known.items():
        if item.message_id in entered.opted_out:
            refused[key] = opted_out(item.request.sender_id, item.request.account_id)
        elif item.request.account_id not in entered.accounts:
            refused[key] = unknown_account(item.request.account_id)
    return refused


async def _affordable(
    connection: Connection, new: dict[Key, Acceptance], entered: Entered
) -> tuple[list[Acceptance], dict[Key, ServiceError]]:
    """The new requests that the terms of their accounts allow, in order; why the others are refused."""
    affordable: list[Acceptance] = []
    refused: dict[Key, ServiceError] = {}
    accounts, shares, guards = entered.accounts, entered.shares, entered.guards
    planned = [(key, item, _guarded(guards, item)) for key, item in new.items()]
    await guards.read(connection)
    for key, item, guarded in planned:
        account = accounts[key[0]]
        try:
            if guarded is not None:
                guards.check(guarded)
            share = shares.share_of(item.api_key, item.total)
            accounts[account.id] = account.hold(item.total, item.request.mode)
        except ServiceError as error:
            refused[key] = error
        else:
            affordable.append(item)
            shares.count(share)
            if guarded is not None:
                guards.count(guarded)
    return affordable, refused


def _guarded(guards: SendGuards, item: Acceptance) -> Guarded | None:
    """What limits look at for a request; None for a test, which reaches no phone."""
    request = item.request
    if request.mode is AccessMode.TEST:
        return None
    return guards.plan(request.account_id, request.recipient, request.tags)
