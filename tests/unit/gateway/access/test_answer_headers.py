"""What every answer says to browsers and caches."""

from __future__ import annotations

from gateway_http.access.answer_headers import answer_headers

ALWAYS = {"X-Content-Type-Options", "Cache-Control", "X-Frame-Options", "Referrer-Policy"}


def test_only_an_open_gateway_says_that_it_is_open() -> None:
    assert dict(answer_headers(is_open=True, is_over_tls=False)).keys() == {*ALWAYS, "X-Sms-Mode"}
    assert dict(answer_headers(is_open=False, is_over_tls=False)).keys() == ALWAYS


def test_a_gateway_over_tls_is_never_tried_without() -> None:
    headers = dict(answer_headers(is_open=False, is_over_tls=True))
    assert headers["Strict-Transport-Security"] == "max-age=31536000"
