"""Settings that all tests share: no windows, the same hypothesis examples each time, and Ctrl-C for what they start."""

import signal
import threading

import hypothesis
import matplotlib

matplotlib.use("Agg")
hypothesis.settings.register_profile("suite", deadline=None, derandomize=True, max_examples=40)
hypothesis.settings.load_profile("suite")

# A shell has what it starts in the background ignore Ctrl-C, and so would all that tests start.
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)
