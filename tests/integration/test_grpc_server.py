"""A gRPC server has its port to itself."""

from __future__ import annotations

import pytest

from service_kit.grpc.grpc_server import GrpcServer
from service_kit.settings import Address


async def test_a_second_server_on_a_port_is_an_error_instead_of_half_of_the_calls() -> None:
    first = GrpcServer(Address("127.0.0.1", 0), ())
    await first.start()
    second = GrpcServer(Address("127.0.0.1", first.port), ())
    try:
        with pytest.raises(OSError, match="is another server there"):
            await second.start()
    finally:
        await second.stop(0)
        await first.stop(0)
