"""What follows elsewhere from a decision about a grant.

Payments stand above grants: a grant does not know them. `app.py` registers here what they do when
a grant is approved or given up.
"""

from collections.abc import Awaitable, Callable, Sequence

from chassis.auth import Caller
from chassis.db import Session
from services.grants.models import Grant

OnApproval = Callable[[Session, Grant], Awaitable[None]]
OnCancellation = Callable[[Session, Caller, Grant], Awaitable[None]]

_on_approval: list[OnApproval] = []
_on_cancellation: list[OnCancellation] = []


def register(
    *, on_approval: Sequence[OnApproval], on_cancellation: Sequence[OnCancellation]
) -> None:
    """Say what is done for each locked grant that is approved, or that a person gives up."""
    _on_approval[:] = on_approval
    _on_cancellation[:] = on_cancellation


async def follow_approval(session: Session, grant: Grant) -> None:
    """Do what follows from the approval of a locked grant."""
    for consequence in _on_approval:
        await consequence(session, grant)


async def follow_cancellation(session: Session, caller: Caller, grant: Grant) -> None:
    """Do what has to come before a locked grant is given up."""
    for consequence in _on_cancellation:
        await consequence(session, caller, grant)
