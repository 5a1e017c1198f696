"""The chassis' probe is the service that these tests ask."""

from tests.chassis.conftest import probe, probe_database

__all__ = ["probe", "probe_database"]
