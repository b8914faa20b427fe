"""How gunicorn serves the site: what its master is told, its worker, and visitors' connections."""
