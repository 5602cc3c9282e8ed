"""What a contributor and CI run beside the tests. Standard library only; no part of the package."""
