"""`tukupay-sms accounts`: accounts, their bookings and statements."""
