"""The same steps as JSON under /api/v1, for the school's own programs: who asks is said by a token, never a cookie."""
