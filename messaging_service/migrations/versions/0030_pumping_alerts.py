"""Alerts of pumped blocks of numbers."""

from __future__ import annotations

from alembic import op

from service_kit.postgres.online_ddl import add_checks

revision = "0030"
down_revision = "0029"

_KINDS = "'balance.low', 'sms.failing', 'outcomes.unknown', 'carrier.down', 'carrier.balance_low'"
_EVENTS = (
    "'sms.sent', 'sms.delivered', 'sms.failed', 'balance.low', 'carrier.down', 'sms.failing', 'carrier.balance_low', "
    "'outcomes.unknown'"
)
_NEW = "'sms.pumping'"


def upgrade() -> None:
    """Lets rules, alerts and deliveries be of the new kind, without a scan under lock."""
    add_checks("alert_rule", {"ck_alert_rule_kind": f"kind IN ({_KINDS}, {_NEW})"})
    add_checks("alert", {"ck_alert_kind": f"kind IN ({_KINDS}, {_NEW})"})
    add_checks(
        "webhook_delivery",
        {"ck_webhook_delivery_event_type": f"event_type IN ({_EVENTS}, {_NEW}, 'webhook.test')"},
    )


def downgrade() -> None:
    """Takes them out, with the alerts and deliveries of that kind."""
    op.execute("DELETE FROM alert_rule WHERE kind = 'sms.pumping'")
    op.execute("DELETE FROM alert WHERE kind = 'sms.pumping'")
    op.execute("DELETE FROM webhook_delivery WHERE event_type = 'sms.pumping'")
    add_checks("alert_rule", {"ck_alert_rule_kind": f"kind IN ({_KINDS})"})
    add_checks("alert", {"ck_alert_kind": f"kind IN ({_KINDS})"})
    add_checks("webhook_delivery", {"ck_webhook_delivery_event_type": f"event_type IN ({_EVENTS}, 'webhook.test')"})
