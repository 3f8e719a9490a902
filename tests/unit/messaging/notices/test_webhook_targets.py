"""A hundred URLs that must not be called, and those that may."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address, ip_network

import pytest

from messaging_service.notices.domain.endpoints import EndpointKind
from messaging_service.notices.domain.targets import is_outward, url_problem
from messaging_service.notices.webhooks.guarded_targets import GuardedTargets, TargetRefusedError, system_resolve

NAMES: dict[str, list[str]] = {
    "public.example": ["93.184.215.14"],
    "public6.example": ["2606:2800:21f:cb07:6820:80da:af6b:8b2c"],
    "nat64.example": ["64:ff9b::5db8:d70e"],
    "loopback.example": ["127.0.0.1"],
    "half.example": ["93.184.215.14", "10.0.0.7"],
    "half6.example": ["93.184.215.14", "fd00::7"],
    "metadata.example": ["169.254.169.254"],
    "mapped.example": ["::ffff:192.168.0.1"],
    "cgnat.example": ["100.64.3.2"],
    "localhost.": ["127.0.0.1", "::1"],
}
_ADDRESSES = """
    0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 100.127.255.255 127.0.0.1 127.1.2.3
    127.255.255.255 168.63.129.16 169.254.0.1 169.254.169.254 169.254.170.2 172.16.0.1 172.31.255.255 192.0.0.1
    192.0.0.192 192.0.2.1 192.88.99.1 192.168.0.1 192.168.255.255 198.18.0.1 198.19.255.255 198.51.100.1
    203.0.113.1 224.0.0.1 232.1.1.1 239.255.255.255 240.0.0.1 255.255.255.255 192.31.196.1 192.52.193.1
    192.175.48.1 [::] [::1] [::ffff:127.0.0.1] [::ffff:10.0.0.1] [::ffff:169.254.169.254] [::ffff:7f00:1]
    [::ffff:100.64.0.1] [64:ff9b::7f00:1] [64:ff9b::a00:1] [64:ff9b::a9fe:a9fe] [64:ff9b:1::1] [::7f00:1]
    [::a00:1] [100::1] [2001::1] [2001:0:7f00:1::] [2001:2::1] [2001:10::1] [2001:20::1] [2001:db8::1]
    [2002:7f00:1::] [2002:a00:1::1] [3fff::1] [5f00::1] [fc00::1] [fd00::1] [fd00:ec2::254] [fe80::1] [fec0::1]
    [ff02::1] [ff0e::1] [4000::1]
"""
_SPELLED = """
    https://2130706433/ https://0x7f000001/ https://0177.0.0.1/ https://127.1/ https://0/ https://0x7f.1/
    https://017700000001/ https://3232235521/ https://localhost/ https://LOCALHOST/ https://localhost./
    https://loopback.example/ https://half.example/ https://half6.example/
    https://metadata.example/latest/meta-data https://mapped.example/ https://cgnat.example/ https://[::ffff:0:0]/
    https://127.0.0.1:8443/ https://[::1]:443/
"""
MALFORMED = [
    "http://public.example/",
    "ftp://public.example/",
    "file:///etc/passwd",
    "gopher://public.example/",
    "javascript:alert(1)",
    "//public.example/",
    "public.example",
    "https://",
    "https:///path",
    "https://user@public.example/",
    "https://user:secret@public.example/",
    "https://public.example@127.0.0.1/",
    "https://public.example/#fragment",
    "https://public.example:0/",
    "https://public.example:99999/",
    "https://public.example:port/",
    "https://public.example/a b",
    "https://public.example\\@127.0.0.1/",
    "https://public.example/\r\nhost: inner",
    "https://pu\tblic.example/",
    "https://ⓛocalhost/",
    "https://[::1",
    "https://public.example/" + "a" * 2_000,
    "",
]
CORPUS = [f"https://{address}/hooks" for address in _ADDRESSES.split()] + _SPELLED.split() + MALFORMED


async def resolve(host: str, port: int) -> Sequence[str]:
    """Names of the tests, and what this machine makes of spellings of addresses, without asking any network."""
    if host in NAMES:
        return NAMES[host]
    return await system_resolve(host, port)


GUARD = GuardedTargets((), allow_http=False, resolve=resolve)


async def problem(guard: GuardedTargets, url: str) -> str | None:
    return (await guard.check(EndpointKind.WEBHOOK, url)).problem


def test_the_corpus_has_a_hundred_urls() -> None:
    assert len(set(CORPUS)) == len(CORPUS) >= 100


@pytest.mark.parametrize("url", CORPUS)
async def test_a_url_that_leads_inward_or_is_none_is_refused(url: str) -> None:
    with pytest.raises(TargetRefusedError):
        await GUARD.addresses(url)
    assert await problem(GUARD, url)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://public.example/hooks?a=b", "93.184.215.14"),
        ("https://public.example:8443/", "93.184.215.14"),
        ("https://public6.example/", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"),
        ("https://nat64.example/", "64:ff9b::5db8:d70e"),
        ("https://93.184.215.14/", "93.184.215.14"),
        ("https://[2606:4700::1111]/", "2606:4700::1111"),
    ],
)
async def test_a_public_url_leads_to_its_checked_addresses(url: str, address: str) -> None:
    assert [str(found) for found in await GUARD.addresses(url)] == [address]
    assert await problem(GUARD, url) is None


async def test_an_operator_may_open_a_network_and_plain_http() -> None:
    guard = GuardedTargets((ip_network("10.1.0.0/16"),), allow_http=True, resolve=resolve)
    assert await problem(guard, "http://10.1.2.3:8080/hooks") is None
    assert await problem(guard, "http://10.2.0.1/hooks")
    assert await problem(guard, "http://[::ffff:10.1.0.1]/") is None


def test_every_neighbour_of_a_private_range_is_public() -> None:
    for text in ("9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0"):
        assert is_outward(ip_address(text))
    assert url_problem("https://public.example/hooks", allow_http=False) is None


def test_an_address_with_a_zone_names_an_interface_here_and_is_not_public() -> None:
    for text in ("2606:4700::1", "2001:4860:4860::8888"):
        assert is_outward(ip_address(text))
        for zone in ("eth0", "1", "lo"):
            assert not is_outward(ip_address(f"{text}%{zone}")), zone
