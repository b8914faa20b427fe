"""A crowd that asks, hangs up, reloads and stops while the site is killed under it; then all is
counted.
"""
