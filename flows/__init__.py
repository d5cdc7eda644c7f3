"""The only code that knows Prefect.

Importing this package settles Prefect's environment (where its state lies, that it phones nobody) before any
module of it can import Prefect, in `review-flow work` and in tests. Prefect's own commands import Prefect first: the head
of prefect.yaml says what to export for them.
It opens no connection, and makes one empty folder: Prefect wants its home to be there when it is imported.
"""

import os

from flows.environment import prefect_environment
from review_flow.settings import Settings

_settings = Settings()
_settings.folder("prefect")
os.environ.update(prefect_environment(_settings))
