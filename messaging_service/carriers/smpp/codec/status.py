"""What each SMPP command status means for a message.

Names and numbers are those of SMPP 3.4 section 5.1.3. A status that is not in the table is a permanent
refusal: taking an unknown answer for "later" could send a text again that the carrier had kept.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from messaging_service.carriers.domain.submission import OutcomeKind


class Status(IntEnum):
    """The command statuses that this adapter knows by name."""

    ESME_ROK = 0x00
    ESME_RINVMSGLEN = 0x01
    ESME_RINVCMDLEN = 0x02
    ESME_RINVCMDID = 0x03
    ESME_RINVBNDSTS = 0x04
    ESME_RALYBND = 0x05
    ESME_RINVPRTFLG = 0x06
    ESME_RINVREGDLVFLG = 0x07
    ESME_RSYSERR = 0x08
    ESME_RINVSRCADR = 0x0A
    ESME_RINVDSTADR = 0x0B
    ESME_RINVMSGID = 0x0C
    ESME_RBINDFAIL = 0x0D
    ESME_RINVPASWD = 0x0E
    ESME_RINVSYSID = 0x0F
    ESME_RMSGQFUL = 0x14
    ESME_RINVSERTYP = 0x15
    ESME_RINVESMCLASS = 0x43
    ESME_RSUBMITFAIL = 0x45
    ESME_RINVSRCTON = 0x48
    ESME_RINVSRCNPI = 0x49
    ESME_RINVDSTTON = 0x50
    ESME_RINVDSTNPI = 0x51
    ESME_RINVSYSTYP = 0x53
    ESME_RTHROTTLED = 0x58
    ESME_RINVSCHED = 0x61
    ESME_RINVEXPIRY = 0x62
    ESME_RX_T_APPN = 0x64
    ESME_RX_P_APPN = 0x65
    ESME_RX_R_APPN = 0x66
    ESME_RINVOPTPARSTREAM = 0xC0
    ESME_ROPTPARNOTALLWD = 0xC1
    ESME_RINVPARLEN = 0xC2
    ESME_RMISSINGOPTPARAM = 0xC3
    ESME_RINVOPTPARAMVAL = 0xC4
    ESME_RDELIVERYFAILURE = 0xFE
    ESME_RUNKNOWNERR = 0xFF


OK: Final = int(Status.ESME_ROK)

THROTTLING: Final = frozenset({int(Status.ESME_RTHROTTLED), int(Status.ESME_RMSGQFUL)})
"""The carrier asks the bind, not the message, to slow down."""

WRONG_CREDENTIALS: Final = frozenset(
    {int(Status.ESME_RINVPASWD), int(Status.ESME_RINVSYSID), int(Status.ESME_RINVSYSTYP)}
)
"""The carrier does not know who we say we are: to try again soon is to be locked out."""

SESSION_ERRORS: Final = WRONG_CREDENTIALS | {
    int(Status.ESME_RINVBNDSTS),
    int(Status.ESME_RALYBND),
    int(Status.ESME_RBINDFAIL),
}
"""In the answer to anything but a bind: the carrier does not hold the session as bound. They say nothing of a message
but that it was not taken."""

_TEMPORARY: Final[dict[int, str]] = {
    Status.ESME_RTHROTTLED: "CARRIER_THROTTLED",
    Status.ESME_RMSGQFUL: "CARRIER_THROTTLED",
    Status.ESME_RSYSERR: "CARRIER_BUSY",
    Status.ESME_RX_T_APPN: "CARRIER_BUSY",
}

_PERMANENT: Final[dict[int, str]] = {
    Status.ESME_RINVMSGLEN: "MESSAGE_TOO_LONG",
    Status.ESME_RINVSRCADR: "INVALID_SENDER",
    Status.ESME_RINVSRCTON: "INVALID_SENDER",
    Status.ESME_RINVSRCNPI: "INVALID_SENDER",
    Status.ESME_RINVDSTADR: "INVALID_RECIPIENT",
    Status.ESME_RINVDSTTON: "INVALID_RECIPIENT",
    Status.ESME_RINVDSTNPI: "INVALID_RECIPIENT",
}

_BIND_REMEDIES: Final[dict[int, str]] = {
    Status.ESME_RALYBND: "all binds of the account are taken: lower binds, set max_binds, or ask the carrier for more",
    Status.ESME_RINVCMDID: "ask the carrier which version and kinds of bind it speaks: interface_version, bind_mode",
    Status.ESME_RBINDFAIL: "ask the carrier which kinds of bind it allows (bind_mode), from which addresses, and "
    "whether a bind must name an address_range",
    Status.ESME_RINVPASWD: "correct the password of the carrier account",
    Status.ESME_RINVSYSID: "correct the system id of the carrier account",
    Status.ESME_RINVSYSTYP: "correct the system type that the carrier gave for the account",
    Status.ESME_RTHROTTLED: "none needed: the carrier limits how often one binds, and the next try is later",
}


def status_name(status: int) -> str:
    """The status as people search for it, for instance `ESME_RINVDSTADR (0x0000000B)`."""
    try:
        name = Status(status).name
    except ValueError:
        name = "vendor specific" if 0x400 <= status <= 0x4FF else "unknown status"
    return f"{name} (0x{status:08X})"


def judge(status: int) -> tuple[OutcomeKind, str]:
    """The outcome of a message whose submit was answered with this error status, and its stable code."""
    if status in SESSION_ERRORS:
        return OutcomeKind.NOT_TAKEN, "CARRIER_UNAVAILABLE"
    code = _TEMPORARY.get(status)
    if code is not None:
        return OutcomeKind.NOT_TAKEN, code
    return OutcomeKind.REFUSED, _PERMANENT.get(status, "REJECTED_BY_CARRIER")


def bind_remedy(status: int) -> str:
    """What an operator can do about a bind that was refused with this status."""
    return _BIND_REMEDIES.get(status, "ask the carrier what this status means for the account")
