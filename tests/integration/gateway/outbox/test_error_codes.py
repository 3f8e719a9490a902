"""The catalogue of failures over REST."""

from __future__ import annotations

from tests.integration.gateway.conftest import Running


async def test_the_catalogue_is_a_bare_array(running: Running) -> None:
    response = await running.http.get("/api/sms/error-codes")
    assert response.status_code == 200
    assert response.json() == [
        {
            "errorCode": "CARRIER_BUSY",
            "meaning": "The carrier was too busy.",
            "errorAdvice": "Resend later.",
            "resendable": "later",
        }
    ]


async def test_it_takes_no_parameters(running: Running) -> None:
    response = await running.http.get("/api/sms/error-codes", params={"code": "CARRIER_BUSY"})
    assert response.status_code == 400
    assert [error["field"] for error in response.json()["errors"]] == ["code"]
