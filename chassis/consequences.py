"""What follows from something further down: asked below, answered by whoever registered above.

A package that is imported by others cannot import them. Where something that it does has
consequences there (a case is closed, and visits that were scheduled are not paid), it declares
them, and the service's `app.py` registers who sees to them, as it registers jobs and handlers.
"""

from collections.abc import Awaitable, Callable
from typing import Generic, ParamSpec

P = ParamSpec("P")


class Consequences(Generic[P]):
    """What is done, in the same transaction, when something has happened.

    Args:
        of: What has happened, for the error that nothing is registered.
    """

    def __init__(self, of: str) -> None:
        self.of = of
        self._registered: list[Callable[P, Awaitable[None]]] = []

    def register(self, consequence: Callable[P, Awaitable[None]]) -> None:
        """Have something done whenever it happens; the same a second time changes nothing."""
        if consequence not in self._registered:
            self._registered.append(consequence)

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Do all of it, in the order of registration.

        Raises:
            RuntimeError: Nothing is registered: the service was put together without its `app.py`.
        """
        if not self._registered:
            raise RuntimeError(f"nothing is registered to follow from this: {self.of}")
        for consequence in self._registered:
            await consequence(*args, **kwargs)
