"""What the site can carry: `make bench` measures it against a fast platform on loopback."""
