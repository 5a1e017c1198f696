"""Identifiers: UUIDv7, so that rows written together lie together; a client may choose its own, for
offline capture.
"""

from uuid import UUID

import uuid_utils


def new_id() -> UUID:
    """A new UUIDv7."""
    return UUID(int=uuid_utils.uuid7().int)
