"""The report of a fit: one page that needs nothing but itself.

Each section is a function from the fit and its rows to plain data (`quality.py`, `described.py`, `estimates.py`,
`scoring.py`) or to pictures (`pictures.py`); the template (`page.html.jinja`) lays them out and escapes every word.
"""

from .page import write_report

__all__ = ["write_report"]
