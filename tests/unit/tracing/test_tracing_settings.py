"""What tracing may be set to."""

from __future__ import annotations

import pytest

from gateway_http.gateway_tracing import GatewayTracing
from service_kit.settings import SettingsError, load

URL = "GATEWAY_TRACING_OTLP_ENDPOINT"
HEADERS = "GATEWAY_TRACING_OTLP_HEADERS"


def loaded(**environ: str) -> GatewayTracing:
    return load(GatewayTracing, environ)


def test_it_is_off_unless_there_is_an_endpoint() -> None:
    assert (loaded().endpoint, loaded().sample_ratio) == (None, 0.0)


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
        ("https://otel.example/", "https://otel.example/v1/traces"),
        ("https://otel.example/own/path", "https://otel.example/own/path"),
    ],
)
def test_a_url_without_a_path_gets_the_usual_one(given: str, used: str) -> None:
    assert loaded(**{URL: given}).endpoint == used


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        ({URL: "127.0.0.1:4318"}, "not an http or https URL"),
        ({URL: "http://user:word@otel.example"}, "credentials go into the headers"),
        ({URL: "http://otel.example", HEADERS: "authorization=Bearer x"}, "plaintext"),
        ({HEADERS: "authorization=Bearer x"}, "means nothing"),
        ({URL: "https://otel.example", HEADERS: "authorization"}, "not `name=value`"),
        ({URL: "http://127.0.0.1:1", "GATEWAY_TRACING_OTLP_CA_FILE": "ca.pem"}, "means nothing"),
        ({"GATEWAY_TRACING_SAMPLE_RATIO": "1.1"}, "not between 0 and 1"),
    ],
)
def test_what_would_not_work_is_refused(environ: dict[str, str], problem: str) -> None:
    with pytest.raises(SettingsError, match=problem) as caught:
        loaded(**environ)
    assert "Bearer" not in str(caught.value)


def test_headers_are_read_and_never_shown() -> None:
    made = loaded(**{URL: "https://otel.example", HEADERS: "authorization=Bearer x=y, x-tenant=sms"})
    assert made.headers == (("authorization", "Bearer x=y"), ("x-tenant", "sms"))
    assert "Bearer" not in repr(made)
