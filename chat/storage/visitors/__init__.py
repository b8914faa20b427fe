"""What is a visitor's beside conversations: sessions, codes for a move, files, and merging."""
