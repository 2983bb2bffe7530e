"""From what size the compiled loops are used."""

# Entries of X.
COMPILED_ENTRIES = 1 << 20
