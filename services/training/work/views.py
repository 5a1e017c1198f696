"""A vacancy as it is answered."""

from contracts.codes import Money
from services.training.models import Vacancy
from services.training.work.schemas import VacancyOut


def vacancy_out(vacancy: Vacancy) -> VacancyOut:
    """A vacancy with its wage as money."""
    wage = (
        Money(amount=vacancy.wage, currency=vacancy.currency) if vacancy.wage is not None and vacancy.currency else None
    )
    names = set(VacancyOut.model_fields) - {"wage"}
    return VacancyOut(**{name: getattr(vacancy, name) for name in names}, wage=wage)
