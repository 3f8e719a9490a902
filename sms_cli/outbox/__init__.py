"""`tukupay-sms send` and `watch`: one message, and what happens to messages."""
