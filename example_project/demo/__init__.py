"""The whole loop on one machine: ``python -m example_project.demo``."""
