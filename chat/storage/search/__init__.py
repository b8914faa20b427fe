"""Search: what a person reads of a text, the words that are looked for, and the scan for them."""
