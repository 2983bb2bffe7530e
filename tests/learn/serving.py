"""The page's own server, for as long as a test asks it."""

import threading
from contextlib import contextmanager

from evenodds.learn import server


@contextmanager
def serving():
    with server.open_port(0) as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield found
        finally:
            found.shutdown()
            thread.join()
