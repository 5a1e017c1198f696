"""Reception as one object."""

from collections.abc import AsyncIterator
from pathlib import Path

from fastapi import FastAPI

from chassis.app import Service
from chassis.streams import Closing
from contracts.reception import PUBLISHES
from participation.access import takes_part_in
from participation.subject_access import Holdings, holdings_router
from services.reception.arrivals.board_routes import router as board
from services.reception.arrivals.routes import router as arrivals
from services.reception.flights.routes import router as flights
from services.reception.handlers import HANDLERS
from services.reception.identities import fetch_job
from services.reception.models import Base


async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """What runs beside the application."""
    app.state.closing = closing = Closing()
    try:
        yield
    finally:
        closing.end()


service = Service(
    name="reception",
    title="Homeward reception",
    description="Who is expected at a port of entry, who was met there, and what they were given.",
    routers=[
        flights,
        board,
        arrivals,
        holdings_router(
            "reception",
            Base.metadata,
            Holdings(
                sealed={
                    "passenger.sealed": ("passenger", "id"),
                    "arrival_profile.restricted": ("profile", "arrival_id"),
                },
                withheld=frozenset({"arrival_handover.sealed"}),
            ),
        ),
    ],
    metadata=Base.metadata,
    takes_part_in=takes_part_in,
    migrations=Path(__file__).parent / "migrations" / "versions",
    publishes=PUBLISHES,
    handlers=HANDLERS,
    jobs=lambda settings: [fetch_job(settings)],
    lifespan=lifespan,
    needs=["matching_key"],
    # Who took over a child or a patient is somebody else.
    knows_people_from="cases",
)
