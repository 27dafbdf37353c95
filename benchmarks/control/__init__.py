"""What hostile clients of the control socket cost those who command an instance."""
