"""What makes layers one host: interfaces, who gets a segment, the next deadline, and the barrier around all of it."""
