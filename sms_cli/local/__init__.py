"""The system on this machine: `tukupay-sms up`, its parts, their state and the sandbox phone."""
