"""`tukupay-sms alerts` and `webhooks`: what accounts and people are notified of, and where."""
