"""`tukupay-sms suppressions`: the phones that must get no messages."""
