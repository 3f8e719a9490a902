"""The route of the audit log: list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from starlette.responses import Response

from gateway_http.audit.audit_models import AuditEntry
from gateway_http.audit.audit_operations import LIST_AUDIT_ENTRIES, SERVICES
from gateway_http.shared.query import choice, moments
from gateway_http.shared.route import RestRequest, RestRoutes, handles
from gateway_http.shared.upstream import Call
from tukupay.sms.common.v1 import audit_pb2 as pb

if TYPE_CHECKING:
    from tukupay.sms.common.v1.audit_pb2_grpc import AuditServiceAsyncStub


class AuditRoutes(RestRoutes):
    """Speaks to the service whose log is asked for."""

    def __init__(self, audits: Mapping[str, AuditServiceAsyncStub]) -> None:
        """`audits`: by the name of the service."""
        self._audits = audits

    @handles(LIST_AUDIT_ENTRIES)
    async def list_entries(self, request: RestRequest) -> Response:
        """Answers with a bare array, newest first."""
        service = choice(request.query, "service", SERVICES) or SERVICES[0]
        within = moments(request.query, "from", "to")
        question = pb.ListAuditEntriesRequest(
            action=request.query.get("action"),
            principal=request.query.get("principal"),
            user_id=request.query.get("userId"),
            subject=request.query.get("subject"),
            start_time=within.get("from"),
            end_time=within.get("to"),
            page_size=request.page_size(),
            page_token=request.page_token(),
        )
        page = await request.answer(self._audits[service].ListAuditEntries, question, Call(service))
        return request.page([AuditEntry.of(entry) for entry in page.entries], page.next_page_token)
