"""Why two people may be one."""

from enum import StrEnum


class Reason(StrEnum):
    """What speaks for or against two entries being one person."""

    SAME_DOCUMENT = "same_document"
    DOCUMENT_MISREAD = "document_number_misread"
    SAME_IDENTIFIER = "same_identifier"
    SAME_PHONE = "same_phone"
    SAME_PHONE_OF_RELATIVE = "same_phone_of_relative"
    SAME_FAMILY_BOOK = "same_family_book"
    GIVEN_NAME = "given_name_alike"
    OTHER_GIVEN_NAME = "other_given_name"
    FATHER = "father_alike"
    OTHER_FATHER = "other_father"
    GRANDFATHER = "grandfather_alike"
    OTHER_GRANDFATHER = "other_grandfather"
    FAMILY_NAME = "family_name_alike"
    FAMILY_IS_ANCESTOR = "family_name_is_an_ancestors"
    OTHER_FAMILY_NAME = "other_family_name"
    NAMES_ELSEWHERE = "names_in_other_parts"
    SAME_BIRTH_DATE = "same_birth_date"
    SAME_PLACEHOLDER = "same_first_of_january_or_july"
    DAY_AND_MONTH_SWAPPED = "day_and_month_swapped"
    NEAR_BIRTH_DATE = "birth_date_near"
    SAME_BIRTH_YEAR = "same_birth_year"
    NEAR_BIRTH_YEAR = "birth_year_estimated_near"
    OTHER_BIRTH_DATE = "other_birth_date"
    OTHER_SEX = "other_sex"
    OTHER_NATIONALITY = "other_nationality"
