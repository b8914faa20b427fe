"""How much a visitor and an address may do: how often, how many at once, how many bytes."""
