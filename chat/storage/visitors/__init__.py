"""What belongs to a visitor beside conversations: sessions, codes for a move, files, and merging."""
