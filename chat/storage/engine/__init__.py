"""How the database is reached, and what it is on the disk."""
