"""A question on its way in: asked, followed, stopped, with its files."""
