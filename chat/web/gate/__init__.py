"""Before a route sees a request: whose it is, whether it may come in, and how its body is read."""
