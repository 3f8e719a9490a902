"""TLS to a carrier: always verified, since what travels are one-time passwords."""

from __future__ import annotations

import ssl

from messaging_service.carriers.smpp.smpp_settings import SmppSettings


def tls_context(settings: SmppSettings) -> ssl.SSLContext | None:
    """What a new link is secured with; None without TLS.

    Reads the files anew each time, so that a renewed certificate serves from the next link on. Raises ValueError
    that names the setting whose file cannot be used.
    """
    if not settings.tls:
        return None
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.tls_ca_file is not None:
        # Only these: an authority of the system has no say over a carrier that names its own.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_verify_locations(cafile=settings.tls_ca_file)
        except (OSError, ssl.SSLError) as error:
            raise ValueError(f"tls_ca_file cannot be used ({_reason(error)}): give a readable PEM file") from None
    if settings.tls_cert_file is not None:
        try:
            context.load_cert_chain(settings.tls_cert_file, settings.tls_key_file, password=_no_passphrase)
        except (OSError, ssl.SSLError) as error:
            raise ValueError(
                f"tls_cert_file or tls_key_file cannot be used ({_reason(error)}): "
                "give readable PEM files of one pair, the key without a passphrase"
            ) from None
    return context


def _no_passphrase() -> str:
    # Without this OpenSSL would ask for one at the terminal and hang the process.
    return ""


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__
