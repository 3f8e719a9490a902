"""`tukupay-sms retention`: which months of messages may go, and their removal."""
