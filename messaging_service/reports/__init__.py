"""Costs, exports, audits, rehearsals and invoices."""
