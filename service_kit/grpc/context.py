"""The context of a call, as servicers get it."""

from __future__ import annotations

from typing import Any, TypeAlias

from grpc import aio

Context: TypeAlias = aio.ServicerContext[Any, Any]
"""Requests and responses are typed at each method; the context only carries metadata, deadline and peer."""
