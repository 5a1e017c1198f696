"""A vacancy, and how a fit is weighed, as they are answered."""

from contracts.codes import Money
from services.training.models import Vacancy
from services.training.weighing import Weighing
from services.training.work.schemas import VacancyOut, WeighingOut


def vacancy_out(vacancy: Vacancy) -> VacancyOut:
    """A vacancy with its wage as money."""
    wage = (
        Money(amount=vacancy.wage, currency=vacancy.currency)
        if vacancy.wage is not None and vacancy.currency
        else None
    )
    names = set(VacancyOut.model_fields) - {"wage"}
    return VacancyOut(**{name: getattr(vacancy, name) for name in names}, wage=wage)


def weighing_out(by: Weighing) -> WeighingOut:
    """What the answer says of the weights that led to it."""
    return WeighingOut(version=by.version, since=by.from_, source=by.source, verified=by.verified)
