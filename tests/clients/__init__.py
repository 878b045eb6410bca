"""Libraries of others, unmodified, on our backends and primitives."""
