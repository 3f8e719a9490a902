"""Commands for the tokens of services and operators."""
