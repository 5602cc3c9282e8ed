"""One settings module for each service, over ``base``."""
