"""What breaks on a platform, and what the site makes of it: one table, asked of the running site
once.
"""
