"""A visitor's conversations: as pages and files, and all that can be done with them."""
