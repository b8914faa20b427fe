"""The whole database elsewhere: a backup and the way back, and a move to another server."""
