"""`tukupay-sms reports`: what messages cost, and carriers' invoices."""
