"""Markets and products, which the monolith owns."""
