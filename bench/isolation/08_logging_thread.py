"""A thread that writes log lines from a queue, started while the script is read."""

import logging
import logging.handlers
import queue

LINES: queue.SimpleQueue = queue.SimpleQueue()
LISTENER = logging.handlers.QueueListener(LINES, logging.NullHandler())
LISTENER.start()
LOG = logging.getLogger("real")
LOG.addHandler(logging.handlers.QueueHandler(LINES))


def use():
    LOG.warning("at work")
    return True
