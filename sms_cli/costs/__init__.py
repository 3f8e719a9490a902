"""`tukupay-sms costs`: prices, files of prices, rehearsals and audits."""
