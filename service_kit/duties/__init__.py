"""What goes on for as long as a process."""
