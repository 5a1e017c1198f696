"""People who are made up, as offices write them down: names of many countries, with the habits and
slips by which one human being gets two records, and with those who are easily taken for them.

Names come from `faker`'s lists, and from short lists here where it has none. They are parted by
name into those from which the weights are learned and those on which they are judged.
"""

# ruff: noqa: E501, ISC004, SIM905 - lists of names, in their scripts

import random
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from importlib import import_module
from typing import Any

from anyascii import anyascii

from benchmarks.romanising import arabic, cyrillic, in_cyrillic, lettered
from services.cases.people.names.words import spelled
from services.cases.people.particulars import Person

LEARNING, JUDGING = "learning", "judging"
OWN: dict[str, tuple[str, str, str]] = {
    "kurdish": (
        "Azad Rêbaz Hêmin Serbest Rizgar Dilşad Karwan Şêrko Nêçîrvan Biryar Çiya Bêwar Hawkar Rêbwar Zana Goran "
        "Soran Baran Diyar Hejar Welat Xebat Şivan Zinar Rojhat Mîran Botan Ciwan Dilovan Evdal Ferhad Kendal",
        "Şîlan Nesrîn Berîvan Gulistan Zîlan Avîn Rûken Hêlîn Jiyan Bêrîtan Nazdar Perwîn Sakîne Xezal Evîn Dîlan "
        "Rojda Çinar Binefş Hêvî Newroz Şermîn Tara Vîan Zerya Awaz Kajîn Lorîn Medya Nêrgiz",
        "Barzanî Zêbarî Sindî Dosky Botanî Koçer Hewramî Caf Bradostî Surçî Mîranî Herkî Goyî Sorgulî Amêdî Talabanî "
        "Xoşnaw Rewandizî Pişderî Germiyanî Şemdîn Bedirxan Nehrî Mihemedî Silêvanî Zaxolî",
    ),
    "albanian": (
        "Agim Arben Besnik Bujar Dritan Edmond Enver Faton Fatos Gëzim Ilir Jetmir Kreshnik Lulzim Mentor Naim Përparim "
        "Qemal Rexhep Shkëlqim Skënder Valon Veton Xhafer Xhemal Ylli Zef Shpëtim Gjergj Luan Hajdar Isuf",
        "Albana Arta Blerta Drita Elira Fatime Flutura Gjyste Hatixhe Ilirjana Jehona Kaltrina Lirie Majlinda Nexhmije "
        "Përparime Qamile Rukije Shpresa Teuta Valbona Vjollca Xhevahire Yllka Zana Shqipe Mimoza Liridona",
        "Hoxha Shehu Berisha Krasniqi Gashi Morina Thaçi Kelmendi Rexhepi Xhaferi Gjoka Bytyqi Shala Haliti Zeqiri "
        "Selimi Mehmeti Osmani Çela Dervishi Leka Marku Prenga Kola Cani Zogaj Hyseni Limani",
    ),
    "tigrinya": (
        "ሃይለ ተስፋይ ኣብርሃም ዮሃንስ ክብሮም በርሀ ገብረመስቀል ሚካኤል ዳዊት ሰመረ ፍጹም ኣማኑኤል ተኽለ ገብርኤል ሙሴ ኢሳያስ ክፍለ ወልዱ ዘርኣይ ኣስመሮም ሃብተ መሓሪ",
        "ሰላም ለተብርሃን ኣበባ ፍረወይኒ ርግኣት ሳባ ሚልየን ኣስቴር ሄለን ለምለም ጽጌ ንግስቲ ራሄል ሰናይት ዘውዲ ትርሓስ ብርኽቲ",
        "ሃይለስላሴ ወልደማርያም ገብረህይወት ተስፋማርያም ሃብተማርያም ገብረእግዚኣብሄር ዑቕባይ ሓጎስ ተኽለሃይማኖት መንግስቱ ኪዳነ ፍስሃየ ንጉሰ ኣርኣያ ዓንደማርያም ተወልደ ሰለሙን",
    ),
    "vietnamese": (
        "Dũng Hùng Minh Quang Thắng Tuấn Việt Đức Khánh Long Phong Sơn Tài Toàn Trung Vinh Cường Hải Huy Khoa Phúc "
        "Quân Thành Tiến Trường Nhật Bảo Kiên",
        "Hạnh Hoa Hương Lan Linh Mai Ngọc Nhung Phương Quỳnh Thảo Thủy Trang Tuyết Vân Yến Diệp Giang Hiền Loan Ngân "
        "Oanh Trinh Xuân",
        "Nguyễn Trần Phạm Hoàng Phan Vũ Đặng Bùi Hồ Ngô Dương Lý Đinh Trương Huỳnh Đoàn Lâm Mạc Tạ Khương Thạch Quách "
        "Nghiêm Triệu",
    ),
    "pashto": (
        "ګل‌آغا زرغون میروېس خوشحال پاینده سپین‌غر توریالی لمر ننگیالی زمری جان‌آغا غلام‌نبی بریالی هیواد احمدضیا حکمت‌الله "
        "عنایت‌الله شفیق‌الله نورآغا پتمن اجمل میوند وحدت رحمان‌الله ثناالله",
        "زرمینه سپوږمۍ ملالۍ پلوشه هیله زرغونه شکریه نازو مینه گلالۍ خاطره تورپېکۍ راضیه پروین بسمینه",
        "وردگ استانکزی احمدزی نورزی الکوزی ستانکزی مومند اپریدی یوسفزی بارکزی پوپلزی اڅکزی ځدراڼ صافی شینواری ساپی کاکړ "
        "هوتک ترکی سلیمانخېل",
    ),
}
FAKER: dict[str, tuple[str, str, str]] = {
    # locale: nationality, script, how it is romanised
    "ar_AA": ("IRQ", "Arab", "arabic"),
    "ar_DZ": ("MAR", "Arab", "arabic"),
    "fa_IR": ("AFG", "Arab", "arabic"),
    "fr_DZ": ("DZA", "Latn", ""),
    "ru_RU": ("RUS", "Cyrl", "cyrillic"),
    "uk_UA": ("UKR", "Cyrl", "cyrillic"),
    "hy_AM": ("ARM", "Armn", "lettered"),
    "ka_GE": ("GEO", "Geor", "lettered"),
    "bn_BD": ("BGD", "", "lettered"),
    "ne_NP": ("NPL", "", "lettered"),
    "el_GR": ("GRC", "Grek", "lettered"),
    "he_IL": ("ISR", "Hebr", "lettered"),
    "es_MX": ("VEN", "Latn", ""),
    "es_CO": ("COL", "Latn", ""),
    "tw_GH": ("GHA", "Latn", ""),
    "yo_NG": ("NGA", "Latn", ""),
    "en_KE": ("KEN", "Latn", ""),
    "en_PK": ("PAK", "Latn", ""),
    "tr_TR": ("TUR", "Latn", ""),
    "az_AZ": ("AZE", "Latn", ""),
    "ro_RO": ("ROU", "Latn", ""),
    "mk_MK": ("MKD", "Cyrl", "cyrillic"),
}
OWN_KIND = {
    "kurdish": ("IRQ", "Latn", ""),
    "albanian": ("ALB", "Latn", ""),
    "tigrinya": ("ERI", "Ethi", "lettered"),
    "vietnamese": ("VNM", "Latn", ""),
    "pashto": ("AFG", "Arab", "arabic"),
}
WRITERS: dict[str, Callable[[str, str, random.Random], str]] = {
    "arabic": arabic,
    "cyrillic": cyrillic,
    "lettered": lettered,
    "": lettered,
}
STYLES = ("english", "german", "french", "dutch")
DIGITS = ("٠١٢٣٤٥٦٧٨٩", "۰۱۲۳۴۵۶۷۸۹", "০১২৩৪৫৬৭৮৯", "०१२३४५६७८९")
NOBODY = (
    "-", ".", "N/A", "NULL", "FNU", "LNU", "unknown", "UNKNOWN", "XXX", "unbekannt", "inconnu", "onbekend",
    "desconocido", "?", "none",
)  # fmt: skip
TITLES = (
    "Dr",
    "Dr.",
    "Haji",
    "Hadji",
    "Sayyid",
    "Sayed",
    "Eng.",
    "Sheikh",
    "Mr",
    "Mrs",
    "Prof.",
    "Mullah",
    "Ustad",
)
NICKNAMES = "Hama Bebo Jojo Mimo Sasha Kiki Lolo Zizi Tutu Nanu Bubu Didi".split()


@dataclass(frozen=True)
class Culture:
    """Names of a country, and how its people are named.

    Attributes:
        script: ISO 15924; empty for one that no referral is written in.
    """

    name: str
    nationality: str
    script: str
    romanised: str
    male: tuple[str, ...]
    female: tuple[str, ...]
    family: tuple[str, ...]


def cultures(half: str) -> list[Culture]:
    """Names of all countries, of one half."""
    found = []
    for locale, (nationality, script, romanised) in FAKER.items():
        provider = import_module(f"faker.providers.person.{locale}").Provider
        lists = [
            _names(provider, f"first_names_{sex}", "first_names") for sex in ("male", "female")
        ]
        families = _names(provider, "last_names", "last_names_male", "last_names_unisex")
        found.append((locale, nationality, script, romanised, *lists, families))
    for name, lists in OWN.items():
        found.append((name, *OWN_KIND[name], *(each.split() for each in lists)))
    return [
        Culture(
            *each[:4],
            *(tuple(n for n in dict.fromkeys(names) if _half(n) == half) for names in each[4:]),
        )
        for each in found
    ]


def _names(provider: Any, *attributes: str) -> list[str]:
    for attribute in attributes:
        if names := list(getattr(provider, attribute, ())):
            return [name.strip() for name in names if name.strip()]
    return []


def _half(name: str) -> str:
    return (LEARNING, JUDGING)[zlib.crc32(anyascii(name).lower().encode()) & 1]


@dataclass(frozen=True)
class Human:
    """Who somebody is, as their country writes it."""

    culture: Culture
    sex: str
    given: tuple[str, ...]
    father: str
    grandfather: str
    family: tuple[str, ...]
    born: date
    document: str
    phone: str
    household_phone: str
    child: str


@dataclass
class Entry:
    """What an office writes down, before it is a referral's person."""

    human: Human
    style: str
    native: bool
    latin: bool
    parts: dict[str, list[str]]
    born: date
    precision: str = "day"
    document: str | None = None
    phones: list[tuple[str, str]] = field(default_factory=list)
    before: dict[str, str] = field(default_factory=dict)
    """What is put before or for the words of a part in Latin letters as it is."""
    behind: dict[str, str] = field(default_factory=dict)
    instead: dict[str, str] = field(default_factory=dict)
    typo: bool = False
    cyrillic: bool = False


def somebody(culture: Culture, chance: random.Random) -> Human:
    """Makes somebody up."""
    sex = chance.choice(["male", "female"])
    given = chance.sample(
        culture.male if sex == "male" else culture.female, 1 + (chance.random() < 0.25)
    )
    double = culture.nationality in {"VEN", "COL"} or chance.random() < 0.08
    return Human(
        culture=culture,
        sex=sex,
        given=tuple(given),
        father=chance.choice(culture.male),
        grandfather=chance.choice(culture.male),
        family=tuple(chance.sample(culture.family, 1 + double)),
        born=date(chance.randrange(1950, 2020), 1, 1) + timedelta(chance.randrange(2, 364)),
        document=_document(chance),
        phone=_phone(chance),
        household_phone=_phone(chance),
        child=chance.choice([name for name in culture.male if len(name.split()) == 1]),
    )


def _document(chance: random.Random) -> str:
    return chance.choice("ABNPQG") + f"{chance.randrange(10**8):08}"


def _phone(chance: random.Random) -> str:
    return f"+96477{chance.randrange(10**8):08}"


def written(
    human: Human, chance: random.Random, *, papers: float = 0.15, father: float = 0.6
) -> Entry:
    """As an office writes somebody down that has no particular habit."""
    parts = {
        "given": list(human.given),
        "father": [human.father] if chance.random() < father else [],
        "grandfather": [],
        "family": list(human.family),
    }
    if parts["father"] and chance.random() < 0.3:
        parts["grandfather"] = [human.grandfather]
    entry = Entry(
        human=human,
        style=chance.choice(STYLES),
        native=bool(human.culture.script)
        and human.culture.script != "Latn"
        and chance.random() < 0.4,
        latin=True,
        parts=parts,
        born=human.born,
        document=human.document
        if chance.random() < papers
        else None
        if chance.random() < 0.5
        else _document(chance),
        typo=chance.random() < 0.06,
    )
    if chance.random() < 0.15:
        entry.phones.append((human.phone, "self"))
    elif chance.random() < 0.15:
        entry.phones.append((human.household_phone, "relative"))
    if chance.random() < 0.15:
        year_only(entry, chance)
    return entry


def year_only(entry: Entry, chance: random.Random) -> None:
    entry.born = date(entry.born.year, chance.choice([1, 7]), 1)
    entry.precision = chance.choice(["year", "year", "day"])


def rendered(entry: Entry, chance: random.Random) -> Person:
    """The person of a referral."""
    write = WRITERS[entry.human.culture.romanised]
    names = []
    script = entry.human.culture.script
    if entry.latin or not script or script == "Latn":
        latin = {}
        slip = chance.choice(["given", "family"]) if entry.typo else ""
        for part, words in entry.parts.items():
            text = " ".join(write(word, entry.style, chance) for word in words)
            if part == slip:
                text = mistyped(text, chance)
            joined = f"{entry.before.get(part, '')} {text} {entry.behind.get(part, '')}"
            latin[part] = entry.instead.get(part, " ".join(joined.split()))
        if entry.cyrillic:
            names.append(
                {"script": "Cyrl"} | {part: in_cyrillic(text) for part, text in latin.items()}
            )
        else:
            names.append({"script": "Latn"} | latin)
    if entry.native and script and script != "Latn":
        native = {
            part: entry.instead.get(part, " ".join(words)) for part, words in entry.parts.items()
        }
        if all(anyascii(value) != value or not value for value in native.values()):
            names.append({"script": script} | native)
    if not names:
        entry.latin = True
        return rendered(entry, chance)
    contacts = [{"kind": "phone", "value": value, "owner": owner} for value, owner in entry.phones]
    papers = [
        {"kind": "passport", "number": entry.document, "issuer": entry.human.culture.nationality}
    ]
    return Person.model_validate(
        {
            "names": names,
            "sex": entry.human.sex,
            "birth": {"date": entry.born.isoformat(), "precision": entry.precision},
            "nationality": entry.human.culture.nationality,
            "documents": papers if entry.document else [],
            "contacts": contacts,
        }
    )


def mistyped(text: str, chance: random.Random) -> str:
    """Text with one slip of the fingers."""
    if len(text) < 4:
        return text
    place = chance.randrange(1, len(text) - 1)
    kind = chance.random()
    if kind < 0.34:
        return text[:place] + text[place + 1] + text[place] + text[place + 2 :]
    if kind < 0.67:
        return text[:place] + text[place + 1 :]
    return text[:place] + chance.choice("aeiounrtlsmk") + text[place + 1 :]


Habit = Callable[[Entry, random.Random], None]


def _known(entry: Entry) -> None:
    entry.parts["father"] = [entry.human.father]


def glued_patronymic(entry: Entry, _: random.Random) -> None:
    entry.parts["given"] = ["".join([entry.human.given[0], entry.human.father.lower()])]
    entry.parts["father"] = []
    entry.native = False


def reversed_order(entry: Entry, _: random.Random) -> None:
    entry.parts["given"], entry.parts["family"] = entry.parts["family"], entry.parts["given"]


def one_year_off(entry: Entry, chance: random.Random) -> None:
    born = entry.human.born
    leap = (born.month, born.day) == (2, 29)
    entry.born, entry.precision = (
        born.replace(year=born.year + (4 if leap else chance.choice([-1, 1]))),
        "day",
    )
    _known(entry)


def one_day_off(entry: Entry, chance: random.Random) -> None:
    entry.born, entry.precision = entry.human.born + timedelta(chance.choice([-1, 1])), "day"


def swapped_day(entry: Entry, _: random.Random) -> None:
    if entry.human.born.day <= 12:
        entry.born = entry.human.born.replace(
            month=entry.human.born.day, day=entry.human.born.month
        )


def kunya_alone(entry: Entry, chance: random.Random) -> None:
    parent = (
        chance.choice(["Abu", "Abou"])
        if entry.human.sex == "male"
        else chance.choice(["Umm", "Um", "Oum"])
    )
    entry.native, entry.parts["given"], entry.parts["father"] = False, [], [entry.human.father]
    entry.before["given"] = (
        f"{parent} {WRITERS[entry.human.culture.romanised](entry.human.child, entry.style, chance)}"
    )


def kunya_beside(entry: Entry, chance: random.Random) -> None:
    parent = "Abu" if entry.human.sex == "male" else "Umm"
    child = WRITERS[entry.human.culture.romanised](entry.human.child, entry.style, chance)
    entry.native, entry.behind["given"] = False, f"{parent} {child}"


def one_family_name(entry: Entry, chance: random.Random) -> None:
    entry.parts["family"] = [chance.choice(entry.human.family)]


def titled(entry: Entry, chance: random.Random) -> None:
    entry.before["given"] = chance.choice(TITLES)


def by_way_of_russian(entry: Entry, _: random.Random) -> None:
    entry.style, entry.native = "russian", False


def letters_for_digits(entry: Entry, chance: random.Random) -> None:
    entry.document = entry.human.document
    swaps = {"0": "O", "1": "I", "5": "S", "8": "B", "2": "Z"}
    places = [index for index, c in enumerate(entry.document) if c in swaps]
    for index in chance.sample(places, min(len(places), chance.choice([1, 2]))):
        entry.document = (
            entry.document[:index] + swaps[entry.document[index]] + entry.document[index + 1 :]
        )


def digits_of_a_script(entry: Entry, chance: random.Random) -> None:
    digits = chance.choice(DIGITS)
    entry.document = "".join(digits[int(c)] if c.isdigit() else c for c in entry.human.document)


def in_one_field(entry: Entry, chance: random.Random) -> None:
    whole = entry.parts["given"] + [entry.human.father] + entry.parts["family"]
    where = chance.choice(["given", "given", "family"])
    entry.parts = {"given": [], "father": [], "grandfather": [], "family": []} | {where: whole}


def script_alone(entry: Entry, _: random.Random) -> None:
    entry.native, entry.latin = True, False


def placeholder(entry: Entry, chance: random.Random) -> None:
    part = chance.choice(["father", "father", "grandfather", "family", "given"])
    entry.instead[part], entry.native = chance.choice(NOBODY), False
    if part in {"given", "family"}:
        _known(entry)


def nickname(entry: Entry, chance: random.Random) -> None:
    entry.native, entry.behind["given"] = False, f"({chance.choice(NICKNAMES)})"


def one_given_name(entry: Entry, chance: random.Random) -> None:
    entry.parts["given"] = [chance.choice(entry.human.given)]


def husbands_name(entry: Entry, chance: random.Random) -> None:
    if entry.human.sex == "female":
        others = [name for name in entry.human.culture.family if name not in entry.human.family]
        entry.parts["family"] = [chance.choice(others)]


def in_cyrillic_letters(entry: Entry, _: random.Random) -> None:
    entry.style, entry.native, entry.cyrillic = "russian", False, True


def family_of_father(entry: Entry, _: random.Random) -> None:
    entry.parts["family"], entry.parts["father"] = [entry.human.father], []


HABITS: dict[str, Habit | None] = {
    "none": None,
    "spelled elsewhere": None,
    "year only": year_only,
    "glued patronymic": glued_patronymic,
    "reversed order": reversed_order,
    "one year off": one_year_off,
    "one day off": one_day_off,
    "day and month swapped": swapped_day,
    "kunya alone": kunya_alone,
    "kunya beside": kunya_beside,
    "double family name": one_family_name,
    "title": titled,
    "by way of Russian": by_way_of_russian,
    "letters for digits": letters_for_digits,
    "digits of a script": digits_of_a_script,
    "whole name in one field": in_one_field,
    "other script": script_alone,
    "placeholder": placeholder,
    "nickname in brackets": nickname,
    "one of two given names": one_given_name,
    "family name is the father's": family_of_father,
    "husband's family name": husbands_name,
    "in Cyrillic letters": in_cyrillic_letters,
}
SURE = frozenset({"letters for digits", "digits of a script"})
DAY_KNOWN = frozenset(
    {
        "one year off",
        "one day off",
        "day and month swapped",
        "kunya alone",
        "family name is the father's",
        "husband's family name",
    }
)


FATHER_KNOWN = frozenset(
    {
        "kunya alone",
        "family name is the father's",
        "one year off",
        "glued patronymic",
        "placeholder",
        "husband's family name",
    }
)


def _tell_apart(habit: str, one: Entry, other: Entry) -> None:
    """Write down by what the two can be known to be one person, whatever the habit hides."""
    if habit in SURE:
        one.document = one.human.document
    if habit in DAY_KNOWN:
        for each in (one, other):
            each.born, each.precision = each.human.born, "day"
    if habit in FATHER_KNOWN:
        _known(one)
    if habit == "husband's family name":
        _known(other)


def twice(human: Human, habit: str, chance: random.Random) -> tuple[Person, Person]:
    """Somebody as two offices write them down, the second with a habit."""
    if habit == "double family name" and len(human.family) == 1:
        human = replace(human, family=tuple(chance.sample(human.culture.family, 2)))
    if habit == "one of two given names" and len(human.given) == 1:
        names = human.culture.male if human.sex == "male" else human.culture.female
        human = replace(human, given=tuple(chance.sample(names, 2)))
    one, other = written(human, chance), written(human, chance)
    other.style = chance.choice([style for style in STYLES if style != one.style])
    if habit == "none":
        other.style = one.style
    _tell_apart(habit, one, other)
    if change := HABITS[habit]:
        change(other, chance)
    return rendered(one, chance), rendered(other, chance)


def lookalikes(human: Human, chance: random.Random) -> Iterator[Human]:
    """People who are easily taken for somebody."""
    culture = human.culture
    names = culture.male if human.sex == "male" else culture.female
    others = [name for name in names if name not in {*human.given, human.father}]
    own = {"document": _document(chance), "phone": _phone(chance)}
    yield replace(human, **own, given=(chance.choice(others),))  # a twin
    other_sex = "female" if human.sex == "male" else "male"
    of_other = culture.female if human.sex == "male" else culture.male
    yield replace(human, **own, sex=other_sex, given=(chance.choice(of_other),))
    sibling = human.born + timedelta(chance.randrange(300, 2500))
    yield replace(human, **own, given=(chance.choice(others),), born=sibling)
    fathers = [name for name in culture.male if name != human.father]
    for family in (
        human.family,
        (chance.choice(culture.family),),
    ):  # of one name, of one given name
        yield replace(
            human,
            **own,
            father=chance.choice(fathers),
            family=family,
            household_phone=_phone(chance),
            born=_other_day(human, chance),
        )
    stranger = replace(somebody(culture, chance), sex=human.sex, born=human.born)  # of one day
    families = [name for name in culture.family if name not in human.family]
    yield replace(
        stranger,
        given=human.given,
        family=(chance.choice(families),),
        father=chance.choice(fathers),
    )
    yield replace(
        stranger, given=(chance.choice(others),), family=human.family, father=chance.choice(fathers)
    )
    child = human.born + timedelta(chance.randrange(7000, 12000))
    yield replace(  # who bears the grandfather's name
        human,
        **own,
        sex="male",
        given=(human.father,),
        father=human.given[0],
        grandfather=human.father,
        born=child,
    )


def _other_day(human: Human, chance: random.Random) -> date:
    return human.born + timedelta(chance.choice([-1, 1]) * chance.randrange(740, 3000))


def judged(
    half: str, *, seed: int, people: int
) -> tuple[dict[Any, Person], dict[frozenset[Any], str]]:
    """Entries, and which pairs of them are of one human being, with the habit that parts the two."""
    chance = random.Random(seed)
    everywhere = [each for each in cultures(half) if len(each.male) > 5 and len(each.family) > 5]
    entries: dict[Any, Person] = {}
    same: dict[frozenset[Any], str] = {}
    habits = list(HABITS)
    for number in range(people):
        human = somebody(chance.choice(everywhere), chance)
        habit = habits[number % len(habits)]
        entries[number, "a"], entries[number, "b"] = twice(human, habit, chance)
        same[frozenset([(number, "a"), (number, "b")])] = habit
        possible = list(lookalikes(human, chance))
        if habit == "kunya alone" or not all(
            spelled(*name.parts).given for name in entries[number, "b"].names
        ):
            # Nobody could tell siblings apart whose given names are not known.
            possible = [other for other in possible if other.family != human.family]
        for index, other in enumerate(chance.sample(possible, min(2, len(possible)))):
            entry = written(other, chance, papers=0.0, father=0.85)
            if other.given == human.given and other.family == human.family:
                # Nobody could tell namesakes apart whose father and day of birth are not known.
                entry.born, entry.precision, entry.parts["father"] = (
                    other.born,
                    "day",
                    [other.father],
                )
            entries[number, f"other-{index}"] = rendered(entry, chance)
    return entries, same
