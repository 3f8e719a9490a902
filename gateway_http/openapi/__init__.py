"""The OpenAPI document, made from the same structs that parse and render."""
