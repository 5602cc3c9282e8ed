"""What surrounds a service: its first start, its home page, read-only admin. Knows no domain."""
