"""Words that stand in a name's field and are no name: for "unknown", and for who somebody is.

Offices that may not leave a field empty fill it: an airline with FNU and LNU (first and last name
unknown), a registry with a dash, a clerk with the word of their own language. Such a part is
missing; it agrees with nothing and contradicts nothing.
"""

# ruff: noqa: RUF001 - letters that look alike are what this is about

import re
import unicodedata
from functools import lru_cache

_MISSING = """
    unknown; unknow; unkown; unk; unknown name; name unknown; not known; not applicable;
    not available; not provided; not given; not stated; none; null; nil; nan; n/a; n.a; n.a.; nn;
    n.n.; no name; noname; no given name; no first name; no last name; no surname;
    no family name; fnu; lnu; fnu lnu; mnu; first name unknown; last name unknown;
    given name unknown; family name unknown; xx; xxx; xxxx; xxxxx; undefined; unnamed; anonymous;
    empty; missing; tbc; tbd; to be confirmed; unbekannt; nicht bekannt; kein name; ohne namen;
    keine angabe; k.a.; k. a.; namenlos; inconnu; inconnue; non connu; non connue; sans nom;
    sans prénom; néant; aucun; snp; s.n.p.; onbekend; niet bekend; geen; geen naam;
    geen voornaam; desconocido; desconocida; sin nombre; sin apellido; ninguno; no consta;
    se desconoce; desconhecido; desconhecida; sem nome; sconosciuto; sconosciuta; ignoto; ignota;
    nessuno; i panjohur; e panjohur; panjohur; i panjohun; s'ka; nuk dihet; necunoscut;
    necunoscută; nieznany; nieznana; brak; nepoznat; nepoznata; nepoznato; okänd; ukjent; ukendt;
    tuntematon; ismeretlen; bilinmiyor; bilinmeyen; yok; belirsiz; naməlum; məlum deyil;
    noma'lum; nomalum; nenas; nediyar; nayê zanîn; tune; haijulikani; hajulikani; lama yaqaan;
    aan la aqoon; ba a sani ba; không rõ; không biết; không có; không tên; không; غير معروف;
    غير معروفة; غير معلوم; غير معلومة; غير محدد; مجهول; مجهولة; مجهول الاسم; لا يوجد; لا اسم;
    بدون اسم; بدون; لا شيء; نامعلوم; نا معلوم; ناشناس; نامشخص; ندارد; معلوم نیست; نمی داند;
    بی نام; معلوم نہیں; نه معلوم; ناڅرګند; نامعلومه; نەزانراو; نەناسراو; نادیار; نییە;
    неизвестно; неизвестный; неизвестная; неизвестен; неизвестна; неизвестное; не известно;
    не указано; не указан; не указана; отсутствует; нет; н/д; без имени; без отчества; невідомо;
    невідомий; невідома; немає; не відомо; не вказано; без імені; непознат; непознато; непозната;
    անհայտ; անհայտ է; չկա; უცნობი; უცნობია; არ არის; არ აქვს; άγνωστο; άγνωστος; άγνωστη;
    δεν υπάρχει; לא ידוע; לא ידועה; אלמוני; אין; ܠܐ ܝܕܝܥܐ; ܠܐ ܝܕܝܥ; ܠܝܬ; ያልታወቀ; አይታወቅም; ዘይተፈልጠ;
    ዘይፍለጥ; የለም; የለውም; অজানা; অজ্ঞাত; নেই; जानकारी नहीं; अज्ञात; नामालूम; थाहा छैन; ਅਣਜਾਣ; 未知; 不详;
    不詳; 无; 無; 无名; 未詳
"""
_ADDRESSES = """
    mr; mrs; ms; miss; mister; master; mstr; chd; inf; dr; doctor; prof; professor; eng; engr;
    engineer; ing; herr; frau; monsieur; madame; mme; mlle; señor; señora; sr; sra; srta; don;
    doña; dhr; mevr; mevrouw; engr.; capt; captain; col; د; دكتور; الدكتور; دکتر; دکتور;
    الدكتورة; دكتورة; م; مهندس; المهندس; المهندسة; انجنیر; انجینیر; ئەندازیار; г-н; г-жа;
    господин; госпожа; доктор; κος; κα; δρ; դր; պրն; տիկ; ბ-ნი; ქ-ნი; አቶ; ወይዘሮ; ወይዘሪት; ዶክተር
"""
_HONOURS = """
    haji; hajji; hadji; hadschi; haci; hacı; hajj; haj; hadj; hac; alhaji; alhaj; elhadj; hajia;
    hajja; hajjah; hajiya; hajah; sayyid; sayyed; sayed; sayid; saied; seyed; seyid; seyyed;
    seyit; syed; said-agha; sayyida; sayyeda; sheikh; shaikh; sheik; cheikh; scheich; sjeik;
    shaykh; mullah; mulla; molla; mollah; mawlawi; maulavi; moulvi; ustad; ostad; ustaz; ustadh;
    agha; aqa; aga; khanum; khanom; xanim; begum; mamosta; mela; mele; kak; mam; general; shri;
    sri; smt; sardar; malik-agha; mosammat; mosammet; mst; most; hazrat; imam; alhagi; nana; ato;
    weizero; w/ro; w/rt; memhir; kes; abba; حاج; الحاج; حجي; حجی; حاجي; حاجی; الحاجة; حاجة; سيد;
    السيد; سید; السید; سيده; السيدة; شيخ; الشيخ; شیخ; الشیخ; ملا; مولوي; مولوی; استاذ; الاستاذ;
    الأستاذ; أستاذ; استاد; آقا; اغا; آغا; خانم; بيبي; ماموستا; مەلا; کاک; хаджи; гаджи; сейид;
    сеид; саид-ага; мулла; шейх; устад; জনাব; বেগম; মোছাঃ; श्री; श्रीमती; मा
"""


@lru_cache(maxsize=65536)
def _key(text: str) -> str:
    """Small letters of one form, without marks, and without what stands around them."""
    plain = unicodedata.normalize("NFKC", text).translate(_INVISIBLE).casefold()
    marks = unicodedata.normalize("NFD", plain)
    letters = "".join(c for c in marks if unicodedata.category(c) != "Mn").translate(_LETTERS)
    return _EDGES.sub("", " ".join(letters.split()))


_INVISIBLE = dict.fromkeys(map(ord, "\u200c\u200d\u200e\u200f\u061c\u00ad\ufeff\u0640"), None)
_LETTERS = str.maketrans({"ي": "ی", "ى": "ی", "ك": "ک", "ة": "ه", "أ": "ا", "إ": "ا", "آ": "ا"})
_EDGES = re.compile(r"^[\W_]+|[\W_]+$")
MISSING = frozenset(_key(word) for word in _MISSING.split(";"))
ADDRESSES = frozenset(_key(word) for word in _ADDRESSES.split(";"))
HONOURS = frozenset(_key(word) for word in _HONOURS.split(";"))


def is_missing(part: str) -> bool:
    """Whether a part of a name says that there is none or that nobody knows it."""
    if not any(map(str.isalpha, part)):
        return True
    return part.strip() == "NA" or _key(part) in MISSING


def is_address(word: str) -> bool:
    """Whether a word is how somebody is addressed: Mr, Mrs, Dr, Eng. It is hardly ever a name."""
    return _key(word) in ADDRESSES


def is_honour(word: str) -> bool:
    """Whether a word before a name is an honour: Haji, Sayyid, Mullah. It is also a name."""
    return _key(word) in HONOURS
