"""The OpenAPI document, and a page that shows it without any other host."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from starlette.responses import Response

from gateway_http.shared.route import RestRequest, RestRoutes, handles
from gateway_http.system.system_operations import DOCS, GET_DOCS, GET_OPEN_API, GET_ROOT

_STATIC = Path(__file__).parent / "static"


class DocumentationRoutes(RestRoutes):
    """Answers with what is rendered once, at construction."""

    def __init__(self, openapi: bytes) -> None:
        """`openapi` is the OpenAPI document as JSON."""
        self._openapi = openapi
        style = (_STATIC / "docs.css").read_text("utf-8")
        script = (_STATIC / "docs.js").read_text("utf-8")
        page = (_STATIC / "docs.html").read_text("utf-8")
        # Within a page, only the start of a tag could end a block of JSON.
        document = openapi.decode().replace("<", "\\u003c")
        for place, content in (("docs.css", style), ("docs.js", script), ("openapi.json", document)):
            page = page.replace(f"/* {place} */", content)
        self._page = page.encode()
        # Only the style and the script of the page itself run, and the page connects to no host.
        self._page_headers = {
            "Content-Security-Policy": (
                f"default-src 'none'; style-src {_source(style)}; script-src {_source(script)}; "
                "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
            ),
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
        }

    @handles(GET_OPEN_API)
    async def openapi(self, _request: RestRequest) -> Response:
        """Answers with the OpenAPI 3.1 document."""
        return Response(self._openapi, media_type="application/json")

    @handles(GET_ROOT)
    async def root(self, _request: RestRequest) -> Response:
        """Redirects the bare address to the page."""
        return Response(status_code=307, headers={"Location": DOCS})

    @handles(GET_DOCS)
    async def docs(self, _request: RestRequest) -> Response:
        """Answers with the page."""
        return Response(self._page, media_type="text/html", headers=self._page_headers)


def _source(text: str) -> str:
    """The hash by which a content security policy allows an inline block."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
