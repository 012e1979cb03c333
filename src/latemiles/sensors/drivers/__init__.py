"""sensors/drivers."""
