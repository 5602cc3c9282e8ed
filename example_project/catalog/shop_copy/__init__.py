"""The catalog's copies of the shop's markets and products."""
