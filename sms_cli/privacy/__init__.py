"""`tukupay-sms privacy`."""
