"""Wraps stored data keys anew, a few at a time."""

from __future__ import annotations

from typing import cast

import structlog
from typing_extensions import override

from messaging_service.privacy.data_key_store import DataKeyStore, NewKey
from messaging_service.privacy.rotate_keys import KeyRotation, Rotated
from messaging_service.privacy.sealing.key_ring import keys_not_set, keys_unavailable
from service_kit.audit.actor import Actor
from service_kit.encryption.key_wrapper import KeyWrapper, WrappedKey, WrapperDownError, WrapperError

log = structlog.get_logger()


class Rewrapping(KeyRotation):
    """Implements KeyRotation. Keys in use go on: what they are does not change, only how they are kept."""

    def __init__(self, store: DataKeyStore, wrapper: KeyWrapper | None) -> None:
        """`wrapper`: None where texts are stored as they are."""
        self._store = store
        self._wrapper = wrapper

    @override
    async def step(self, limit: int, actor: Actor) -> Rotated:
        if self._wrapper is None:
            raise keys_not_set()
        try:
            present = await self._wrapper.present()
            old = await self._store.not_wrapped_by(present, limit)
            if not old:
                return Rotated(present, 0, more=False)
            wrapped = [(WrappedKey(key.wrapped_by, cast("bytes", key.wrapped)), key.scope.purpose) for key in old]
            opened = await self._wrapper.unwrap(wrapped)
            anew = await self._wrapper.wrap([(raw, purpose) for raw, (_, purpose) in zip(opened, wrapped, strict=True)])
        except (WrapperDownError, WrapperError) as error:
            log.warning("privacy.rotation_failed", problem=str(error))
            raise keys_unavailable() from error
        new = [NewKey(key.scope, one.wrapped_by, one.wrapped) for key, one in zip(old, anew, strict=True)]
        done = await self._store.rewrap(old, new, actor)
        return Rotated(present, done, more=len(old) == limit)
