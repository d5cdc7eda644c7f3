"""Prefect's environment: its state lies in our home, and it phones nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from review_flow.settings import Settings

# Every way out of the house in Prefect 3.8, found by reading its source.
SILENCE = {
    "DO_NOT_TRACK": "1",  # SDK analytics, sent to Amplitude at `import prefect` in a terminal
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",  # the server's heartbeat to sens-o-matic.prefect.io
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_SERVER_UI_V2_ENABLED": "false",  # the new UI carries Amplitude's browser code; the old one none
    "PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY": "false",
    "PREFECT_TELEMETRY_ENABLE_RESOURCE_METRICS": "false",
    # Without an API address Prefect would start servers of its own behind our back: rather an error.
    "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
}


def prefect_environment(settings: Settings) -> dict[str, str]:
    """Return the variables to set before `import prefect`. Nothing is read or made."""
    home = settings.home.absolute() / "prefect"
    chosen = {"PREFECT_API_URL": settings.prefect_api_url} if settings.prefect_api_url else {}
    proof = settings.prefect_auth_string
    return {
        **SILENCE,
        **chosen,
        **({"PREFECT_API_AUTH_STRING": proof.get_secret_value()} if proof else {}),
        "PREFECT_HOME": str(home),
        "PREFECT_PROFILES_PATH": str(home / "profiles.toml"),
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",  # our steps log outside of flows as well
    }


def server_environment(settings: Settings) -> dict[str, str]:
    """Return the further variables of the embedded server: only what one machine's display of runs needs.

    Nobody but the processes of this home knows what opens it; that is made when there is none.
    Measured: 100 items recorded at once keep a SQLite server busy for 6 s with the defaults, and under 1 s so.
    """
    # Off: what serves work pools, schedules and automations, of which the embedded server has none.
    unused = (
        "CANCELLATION_CLEANUP", "CLEANUP_RECONCILER", "EVENT_PERSISTER", "FOREMAN", "LATE_RUNS",
        "PAUSE_EXPIRATIONS", "SCHEDULER", "TRIGGERS",
    )  # fmt: skip
    recorder = "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER"
    database = settings.home.absolute() / "prefect" / "prefect.db"
    proof = settings.prefect_auth()
    return {
        "PREFECT_API_AUTH_STRING": proof,
        "PREFECT_SERVER_API_AUTH_STRING": proof,
        **{f"PREFECT_SERVER_SERVICES_{name}_ENABLED": "false" for name in unused},
        f"{recorder}_BATCH_SIZE": "50",
        f"{recorder}_READ_BATCH_SIZE": "50",
        f"{recorder}_FLUSH_INTERVAL": "1",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",  # 90 days of runs are kept
        "PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "false",
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{database}",
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    }
