"""Bluetooth SIG profiles that bring speed, distance, grade, heart rate and battery; pure bytes to values."""
