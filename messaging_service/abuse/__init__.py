"""What keeps accounts from being abused: windows of recipients, blocks of numbers, shares of API keys, conversion."""
