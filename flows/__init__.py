"""The only code that knows Prefect.

Importing this package settles Prefect's environment (where its state lies, that it phones nobody) before any
module of it can import Prefect, whoever starts the process: `review-flow work`, a Prefect worker or a test.
It touches no file and opens no connection.
"""

import os

from flows.environment import prefect_environment
from review_flow.settings import Settings

os.environ.update(prefect_environment(Settings()))
