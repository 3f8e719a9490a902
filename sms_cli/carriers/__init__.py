"""`tukupay-sms carriers`: the state of carriers, and taking them out of use."""
