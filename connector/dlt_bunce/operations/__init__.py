"""What an operator runs beside plain loads."""
