"""How a browser becomes a visitor's: by an access code, or by a code of another device."""
