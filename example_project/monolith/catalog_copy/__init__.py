"""The monolith's copy of the catalog entries, and the old API over it."""
