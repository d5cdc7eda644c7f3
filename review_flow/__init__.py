"""review-flow: peer review and evidence verification for school-based teacher appraisal (校本应用考核)."""

import gc

# Python looks for garbage after every 700 objects, and what is imported is none: a seventh of the time in which
# Prefect and the web application are loaded. Requests and flows leave little behind that it would free.
gc.set_threshold(50_000, 20, 100)
