"""The tables of the messaging database, as the migrations must produce them: importing this collects them all."""

from __future__ import annotations

from messaging_service.abuse.postgres import guard_tables
from messaging_service.access.postgres import key_tables
from messaging_service.accounts.postgres import account_tables
from messaging_service.carriers.postgres import carrier_tables
from messaging_service.months.postgres import retention_tables
from messaging_service.notices.postgres import alert_tables, endpoint_tables
from messaging_service.opt_outs.postgres import suppression_tables
from messaging_service.privacy.postgres import data_key_tables
from messaging_service.receipts.postgres import receipt_tables
from messaging_service.sending.postgres import dispatch_tables, message_tables
from messaging_service.shared.postgres.columns import metadata
from service_kit.postgres.evidence_tables import audit_table, chain_table

audit_entry = audit_table(metadata)
hash_chain = chain_table(metadata)

__all__ = [
    "account_tables",
    "alert_tables",
    "audit_entry",
    "carrier_tables",
    "data_key_tables",
    "dispatch_tables",
    "endpoint_tables",
    "guard_tables",
    "hash_chain",
    "key_tables",
    "message_tables",
    "metadata",
    "receipt_tables",
    "retention_tables",
    "suppression_tables",
]
