"""scikit-learn's own tests, from the installed package, with the classes of evenodds in the place of its own.

`make test-sklearn` runs them. `plugin.py` makes the exchange, `classes.py` is what stands in, `expected.py` says which
tests cannot pass and why. One of these that does pass, or that is no longer there, is a failure.
"""
