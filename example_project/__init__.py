"""Two services over one checkout: the monolith ``shop`` and the ``catalog`` that left it."""
