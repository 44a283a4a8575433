"""What is run beside plain loads."""
