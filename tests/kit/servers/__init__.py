"""What stands around a site: its database server, its Redis, the proxies in front of it."""
