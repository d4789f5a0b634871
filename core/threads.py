"""The threads in which files are decoded and images are augmented, a part of a batch each."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache


@cache
def worker_threads() -> ThreadPoolExecutor:
    """Return the pool of this process: as many threads as there are processors.

    A job must not wait for another one of the pool: all threads could be waiting.
    """
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="examples")
