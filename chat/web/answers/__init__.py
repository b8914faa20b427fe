"""An answer on its way out: events, the HTML of what has ended, its pictures."""
