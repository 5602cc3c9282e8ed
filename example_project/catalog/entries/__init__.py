"""The catalog entries, which this service owns."""
