"""Settings that all tests share: no windows, and the same hypothesis examples each time."""

import hypothesis
import matplotlib

matplotlib.use("Agg")
hypothesis.settings.register_profile("suite", deadline=None, derandomize=True, max_examples=40)
hypothesis.settings.load_profile("suite")
