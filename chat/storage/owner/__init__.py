"""What belongs to the owner: the log, what was chosen at the desk, and what the owner may read."""
