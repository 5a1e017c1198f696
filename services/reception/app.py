"""Reception as one object."""

from pathlib import Path

from chassis.app import Service
from contracts import reception as facts
from services.reception.arrivals.routes import router as arrivals
from services.reception.handlers import HANDLERS
from services.reception.identities import fetch_job
from services.reception.models import Base

service = Service(
    name="reception",
    title="Homeward reception",
    description="Who is expected at a port of entry, who was met there, and what they were given.",
    routers=[arrivals],
    metadata=Base.metadata,
    migrations=Path(__file__).parent / "migrations" / "versions",
    publishes=[
        facts.ArrivalExpected,
        facts.ArrivalReceived,
        facts.ArrivalProfiled,
        facts.ArrivalCompleted,
        facts.ArrivalNoShow,
        facts.ArrivalNotDeparted,
        facts.ArrivalDeclined,
        facts.ArrivalConfirmed,
        facts.ArrivalReopened,
        facts.AssistanceProvided,
        facts.OnwardTransportArranged,
        facts.ReturneeScrubbed,
    ],
    handlers=HANDLERS,
    jobs=lambda settings: [fetch_job(settings)],
)
