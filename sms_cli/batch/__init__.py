"""`tukupay-sms send-batch`: one message for each line of a file."""
