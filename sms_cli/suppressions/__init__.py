"""`tukupay-sms suppressions`: who wants no messages."""
