"""What apprise would send to the services that are allowed, and what is shown of their URLs. Nothing is sent."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from messaging_service.notices.domain.channels import NEVER, WELL_KNOWN

PROGRAM = Path(__file__).with_name("posting_program.py")
LONG = "Secret0Canary1Secret2Canary3Secr"
"""32 letters and digits, as many tokens are."""
SERVICES = {
    "slack": (f"slack://TSECRET12/BSECRET12/{LONG[:24]}/#duty", "hooks.slack.com"),
    "tgram": (f"tgram://123456789:{LONG}abc/-100200300", "api.telegram.org"),
    "discord": (f"discord://4174216298417421/{LONG}", "discord.com"),
    "gchat": (f"gchat://SPACE{LONG}/KEY{LONG}/TOKEN{LONG}", "chat.googleapis.com"),
    "webex": (f"webex://{LONG}{LONG}{LONG[:16]}", "api.ciscospark.com"),
    "wxteams": (f"wxteams://{LONG}{LONG}{LONG[:16]}", "api.ciscospark.com"),
    "pover": (f"pover://{LONG[:30]}@{LONG[:30]}", "api.pushover.net"),
    "pbul": (f"pbul://o.{LONG}", "api.pushbullet.com"),
    "pagerduty": (f"pagerduty://{LONG}@A{LONG}", "events.pagerduty.com"),
    "opsgenie": (f"opsgenie://{LONG[:8]}-aaaa-bbbb-cccc-{LONG[:12]}", "api.opsgenie.com"),
    "signl4": (f"signl4://{LONG}", "connect.signl4.com"),
    "squadcast": (f"squadcast://{LONG}", "api.squadcast.com"),
    "spike": (f"spike://{LONG}", "api.spike.sh"),
    "ilert": (f"ilert://{LONG}", "api.ilert.com"),
    "pagertree": (f"pagertree://int_{LONG[:14]}", "api.pagertree.com"),
    "zoom": (f"zoom://{LONG}/{LONG}", "inbots.zoom.us"),
    "workflow": (f"workflow://example.logic.azure.com:443/{LONG}/{LONG}", "example.logic.azure.com"),
    "workflows": (f"workflows://example.logic.azure.com:443/{LONG}/{LONG}", "example.logic.azure.com"),
}
AS_SHOWN = {
    f"https://hooks.slack.com/services/TSECRET12/BSECRET12/{LONG[:24]}": "slack://T...2/B...2/",
    f"https://discord.com/api/webhooks/4174216298417421/{LONG}": "discord://4...1/",
}
"""URLs as services show them to their users, and what is shown of them here."""
FORBIDDEN = [
    "syslog://",
    "dbus://",
    "gnome://",
    "windows://",
    "macosx://",
    "mailto://user:password@example.com",
    "file:///etc/passwd",
    "json://example.com/",
    "https://example.com/",
    f"slack://TSECRET12/BSECRET12/{LONG[:24]}/?template=/etc/passwd",
    f"slack://TSECRET12/BSECRET12/{LONG[:24]}/?redirect=yes",
    f"slack://TSECRET12/BSECRET12/{LONG[:24]}/?verify=no",
    f"slack://TSECRET12/BSECRET12/{LONG[:24]}/?OPTIONAL=yes",
    "slack://short",
]


@pytest.fixture(scope="module")
def answers() -> Any:
    urls = [*(url for url, _ in SERVICES.values()), *AS_SHOWN, *FORBIDDEN]
    question = {"services": sorted(WELL_KNOWN | NEVER), "urls": urls}
    done = subprocess.run(
        [sys.executable, str(PROGRAM)], input=json.dumps(question), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_allowed_service_is_tried_here() -> None:
    assert set(SERVICES) == WELL_KNOWN


@pytest.mark.parametrize("service", SERVICES)
def test_a_text_goes_to_the_host_of_the_service_over_tls(service: str, answers: Any) -> None:
    url, host = SERVICES[service]
    answer = answers[url]
    assert answer["checked"]["problem"] is None
    assert answer["posted"] == {"status": None, "error": "NOT_CONNECTED"}
    (first, *_) = answer["sent"]
    assert (urlsplit(first["url"]).scheme, urlsplit(first["url"]).hostname) == ("https", host)
    assert (first["verify"], first["proxies"]) == (True, {})
    assert "second" in str(first["body"])


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_shown_of_a_service_holds_none_of_its_secrets(service: str, answers: Any) -> None:
    shown = answers[SERVICES[service][0]]["checked"]["shown"]
    for length in range(6, len(LONG)):
        assert LONG[:length] not in shown
        assert LONG[-length:] not in shown
    assert "TSECRET12" not in shown


def test_slack_and_telegram_are_told_as_their_interfaces_ask(answers: Any) -> None:
    (slack,) = answers[SERVICES["slack"][0]]["sent"]
    assert slack["url"] == f"https://hooks.slack.com/services/TSECRET12/BSECRET12/{LONG[:24]}"
    body = json.loads(slack["body"])
    assert body["channel"] == "#duty"
    assert body["attachments"][0]["title"] == "TukuPay SMS: test (a)"
    assert body["attachments"][0]["text"] == "first\nsecond"
    (telegram,) = answers[SERVICES["tgram"][0]]["sent"]
    assert telegram["url"] == f"https://api.telegram.org/bot123456789:{LONG}abc/sendMessage"
    body = json.loads(telegram["body"])
    assert body["chat_id"] == -100200300
    assert "TukuPay SMS: test (a)" in body["text"]
    assert body["text"].replace("\r", "").endswith("first\nsecond")


@pytest.mark.parametrize("url", AS_SHOWN)
def test_a_url_as_its_service_shows_it_is_taken(url: str, answers: Any) -> None:
    checked = answers[url]["checked"]
    assert checked["problem"] is None
    assert checked["shown"].startswith(AS_SHOWN[url])
    assert LONG[:6] not in checked["shown"]
    assert urlsplit(answers[url]["sent"][0]["url"]).hostname == urlsplit(url).hostname


@pytest.mark.parametrize("url", FORBIDDEN)
def test_what_acts_here_or_weakens_the_rules_is_refused_and_sends_nothing(url: str, answers: Any) -> None:
    answer = answers[url]
    assert answer["checked"]["problem"]
    assert answer["posted"] == {"status": None, "error": "SERVICE_NOT_ALLOWED"}
    assert answer["sent"] == []
