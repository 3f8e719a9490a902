"""A transit engine that wraps, beside a file whose keys still unwrap: for the way from one to the other."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override

from service_kit.encryption.key_file import KeyFile
from service_kit.encryption.key_wrapper import KeyWrapper, WrappedKey
from service_kit.encryption.transit import PREFIX, Transit


class TransitBesideFile(KeyWrapper):
    """Implements KeyWrapper."""

    def __init__(self, transit: Transit, file: KeyFile) -> None:
        self._transit = transit
        self._file = file

    @override
    async def present(self) -> str:
        return await self._transit.present()

    @override
    async def wrap(self, keys: Sequence[tuple[bytes, bytes]]) -> Sequence[WrappedKey]:
        return await self._transit.wrap(keys)

    @override
    async def unwrap(self, keys: Sequence[tuple[WrappedKey, bytes]]) -> Sequence[bytes]:
        is_remote = [key.wrapped_by.startswith(PREFIX) for key, _ in keys]
        remote = [one for one, there in zip(keys, is_remote, strict=True) if there]
        local = [one for one, there in zip(keys, is_remote, strict=True) if not there]
        from_transit = iter(await self._transit.unwrap(remote) if remote else ())
        from_file = iter(await self._file.unwrap(local) if local else ())
        return [next(from_transit if there else from_file) for there in is_remote]
