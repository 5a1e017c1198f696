"""`/v1/enrolments`."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response

from chassis.auth import Caller
from chassis.concurrency import set_etag
from chassis.db import Session
from chassis.pagination import Cursor, Limit, Page, link_next
from chassis.routing import (
    CallerDep,
    CaughtUpDep,
    PreconditionDep,
    Router,
    SessionDep,
    requires,
)
from contracts.scopes import Scope
from services.training.enrolments import choices, service
from services.training.enrolments.progress import attended, certificate_of, held
from services.training.enrolments.rules import enough
from services.training.enrolments.schemas import (
    AcceptIn,
    AssessIn,
    AttendedOut,
    ChoiceOut,
    ClashOut,
    DropOutIn,
    EnrolmentDetail,
    EnrolmentIn,
    EnrolmentOut,
    EvaluateIn,
    FitOut,
    ManualIn,
    PlaceIn,
)
from services.training.fields import UNKNOWN, Claimed
from services.training.models import Enrolment
from services.training.states import EnrolmentState

router = Router(prefix="/v1/enrolments", tags=["training"])

Few = Annotated[int, Query(ge=1, le=50, description="Items in a page.")]


def _out(response: Response, enrolment: Enrolment) -> EnrolmentOut:
    set_etag(response, enrolment.version)
    return EnrolmentOut.model_validate(enrolment)


@router.post("", status_code=201, responses=UNKNOWN)
@requires(Scope.TRAINING_WRITE)
async def request_enrolment(
    body: EnrolmentIn,
    session: SessionDep,
    caller: CallerDep,
    caught_up: CaughtUpDep,
    response: Response,
) -> EnrolmentOut:
    """Give somebody a place in a cohort; where every place is taken, one on its waiting list."""
    enrolment = await service.request(
        session,
        caller,
        id=body.id,
        returnee_id=body.returnee_id,
        cohort_id=body.cohort_id,
        plan_line_id=body.plan_line_id,
        despite_clash=body.despite_clash,
        caught_up=caught_up,
    )
    return _out(response, enrolment)


@router.get("")
@requires(Scope.TRAINING_READ)
async def list_enrolments(
    request: Request,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    cohort_id: UUID | None = None,
    returnee_id: UUID | None = None,
    state: EnrolmentState | None = None,
    review: Annotated[
        bool | None, Query(description="Whether a person has to look whether it goes on.")
    ] = None,
    updated_since: Claimed | None = None,
    after: Cursor = None,
    limit: Limit = 50,
) -> Page[EnrolmentOut]:
    """Enrolments, newest first, without names."""
    rows = await service.listed(
        session,
        caller,
        cohort_id=cohort_id,
        returnee_id=returnee_id,
        state=state,
        review=review,
        updated_since=updated_since,
        after_=after,
        limit=limit,
    )
    link_next(request, response, rows.next)
    return Page(items=[EnrolmentOut.model_validate(row) for row in rows.items], next=rows.next)


@router.get("/choices")
@requires(Scope.TRAINING_READ)
async def list_choices(
    request: Request,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    after: Cursor = None,
    limit: Few = 20,
) -> Page[ChoiceOut]:
    """What approved plans ask for and a person has to choose a cohort for, the oldest first, with
    those that may do.

    Where exactly one suits, or the plan names it, it was chosen already.
    """
    rows, fits = await choices.waiting(session, caller, after=after, limit=limit)
    link_next(request, response, rows.next)
    items = [
        ChoiceOut(
            **EnrolmentOut.model_validate(row).model_dump(),
            cohorts=[_fit(each) for each in fits[row.id]],
        )
        for row in rows.items
    ]
    return Page(items=items, next=rows.next)


def _fit(fit: choices.Fit) -> FitOut:
    names = ("starts_on", "ends_on", "city", "governorate", "online", "languages")
    return FitOut(
        cohort_id=fit.cohort.id,
        course_id=fit.cohort.course_id,
        title=fit.course.title,
        free=max(0, fit.cohort.capacity - fit.cohort.seats_taken - fit.cohort.waiting),
        obstacles=list(fit.obstacles),
        **{name: getattr(fit.cohort, name) for name in names},
    )


async def render_detail(
    session: Session, caller: Caller, enrolment: Enrolment, response: Response
) -> EnrolmentDetail:
    """The enrolment with its progress and what clashes with it, and its ETag on the response."""
    so_far = None
    if enrolment.cohort_id is not None and enrolment.attendance_percent is not None:
        total = await held(session, enrolment.cohort_id)
        minutes = (await attended(session, [enrolment.id])).get(enrolment.id, 0)
        so_far = AttendedOut(
            attended=minutes,
            held=total,
            percent_needed=enrolment.attendance_percent,
            sufficient=enough(minutes, total, enrolment.attendance_percent),
        )
    certificate = await certificate_of(session, enrolment.id)
    at_once = (
        [] if caller.kind == "training_provider" else await service.clashes(session, enrolment)
    )
    return EnrolmentDetail(
        **_out(response, enrolment).model_dump(),
        attendance=so_far,
        clashes=[
            ClashOut(cohort_id=row.cohort_id, session=row.number, at=row.at) for row in at_once
        ],
        certificate_code=certificate.code if certificate else None,
    )


@router.get("/{enrolment_id}")
@requires(Scope.TRAINING_READ)
async def read_enrolment(
    enrolment_id: UUID, session: SessionDep, caller: CallerDep, response: Response
) -> EnrolmentDetail:
    """An enrolment with how much was attended, and which other courses of the person are at the
    same time.
    """
    return await render_detail(
        session, caller, await service.find(session, caller, enrolment_id), response
    )


@router.post("/{enrolment_id}/place")
@requires(Scope.TRAINING_WRITE, if_match=True)
async def place(
    enrolment_id: UUID,
    body: PlaceIn,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    caught_up: CaughtUpDep,
    response: Response,
) -> EnrolmentOut:
    """Choose a cohort for what an approved plan asks for."""
    enrolment = await service.place(
        session,
        caller,
        enrolment_id,
        cohort_id=body.cohort_id,
        despite_clash=body.despite_clash,
        precondition=precondition,
        caught_up=caught_up,
    )
    return _out(response, enrolment)


@router.post("/{enrolment_id}/accept")
@requires(Scope.TRAINING_WRITE, person=True, if_match=True)
async def accept(
    enrolment_id: UUID,
    body: AcceptIn,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> EnrolmentOut:
    """The person takes the place that is kept for them."""
    enrolment = await service.accept(
        session, caller, enrolment_id, despite_clash=body.despite_clash, precondition=precondition
    )
    return _out(response, enrolment)


@router.post("/{enrolment_id}/cancel")
@requires(Scope.TRAINING_WRITE)
async def cancel(
    enrolment_id: UUID, session: SessionDep, caller: CallerDep, response: Response
) -> EnrolmentOut:
    """The person does not want the place, or the offer; it goes to the first on the waiting
    list.
    """
    return _out(response, await service.cancel(session, caller, enrolment_id))


@router.post("/{enrolment_id}/keep")
@requires(Scope.TRAINING_WRITE, person=True, if_match=True)
async def keep(
    enrolment_id: UUID,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> EnrolmentOut:
    """The enrolment goes on although the plan that asked for it was changed."""
    return _out(response, await service.keep(session, caller, enrolment_id, precondition))


@router.post("/{enrolment_id}/drop-out")
@requires(Scope.TRAINING_WRITE)
async def drop_out(
    enrolment_id: UUID, body: DropOutIn, session: SessionDep, caller: CallerDep, response: Response
) -> EnrolmentOut:
    """The person does not go on."""
    return _out(
        response, await service.drop_out(session, caller, enrolment_id, body.reason, body.comment)
    )


@router.post("/{enrolment_id}/no-show")
@requires(Scope.TRAINING_WRITE)
async def no_show(
    enrolment_id: UUID, session: SessionDep, caller: CallerDep, response: Response
) -> EnrolmentOut:
    """The person had a place and never came."""
    return _out(response, await service.no_show(session, caller, enrolment_id))


@router.post("/{enrolment_id}/assess")
@requires(Scope.TRAINING_WRITE)
async def assess(
    enrolment_id: UUID, body: AssessIn, session: SessionDep, caller: CallerDep, response: Response
) -> EnrolmentOut:
    """Note how somebody did, before the course or after it."""
    return _out(
        response, await service.assess(session, caller, enrolment_id, body.stage, body.score)
    )


@router.post("/{enrolment_id}/manual")
@requires(Scope.TRAINING_WRITE)
async def hand_manual(
    enrolment_id: UUID, body: ManualIn, session: SessionDep, caller: CallerDep, response: Response
) -> EnrolmentOut:
    """Note that the manual was handed out."""
    return _out(response, await service.hand_manual(session, caller, enrolment_id, body.handed_on))


@router.post("/{enrolment_id}/evaluate")
@requires(Scope.TRAINING_WRITE)
async def evaluate(
    enrolment_id: UUID, body: EvaluateIn, session: SessionDep, caller: CallerDep, response: Response
) -> EnrolmentOut:
    """Keep what the participant says of the course."""
    return _out(response, await service.evaluate(session, caller, enrolment_id, body.model_dump()))
