"""The codes of ISCO-08 (occupations) and ISCED-F 2013 (fields of education), as the ILO and UNESCO
publish them.
"""

from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

_ISCO_08 = """
0110 0210 0310
1111-1114 1120 1211-1213 1219 1221-1223 1311 1312 1321-1324 1330 1341-1346 1349 1411 1412 1420
1431 1439
2111-2114 2120 2131-2133 2141-2146 2149 2151-2153 2161-2166 2211 2212 2221 2222 2230 2240 2250
2261-2267 2269
2310 2320 2330 2341 2342 2351-2356 2359 2411-2413 2421-2424 2431-2434 2511-2514 2519 2521-2523 2529
2611 2612 2619 2621 2622 2631-2636 2641-2643 2651-2656 2659
3111-3119 3121-3123 3131-3135 3139 3141-3143 3151-3155 3211-3214 3221 3222 3230 3240 3251-3259
3311-3315 3321-3324 3331-3334 3339 3341-3344 3351-3355 3359 3411-3413 3421-3423 3431-3435
3511-3514 3521 3522
4110 4120 4131 4132 4211-4214 4221-4227 4229 4311-4313 4321-4323 4411-4416 4419
5111-5113 5120 5131 5132 5141 5142 5151-5153 5161-5165 5169 5211 5212 5221-5223 5230 5241-5246 5249
5311 5312 5321 5322 5329 5411-5414 5419
6111-6114 6121-6123 6129 6130 6210 6221-6224 6310 6320 6330 6340
7111-7115 7119 7121-7127 7131-7133 7211-7215 7221-7224 7231-7234 7311-7319 7321-7323 7411-7413
7421 7422
7511-7516 7521-7523 7531-7536 7541-7544 7549
8111-8114 8121 8122 8131 8132 8141-8143 8151-8157 8159 8160 8171 8172 8181-8183 8189 8211 8212 8219
8311 8312 8321 8322 8331 8332 8341-8344 8350
9111 9112 9121-9123 9129 9211-9216 9311-9313 9321 9329 9331-9334 9411 9412 9510 9520 9611-9613
9621-9624 9629
"""
_ISCED_F = """
0011 0021 0031 0111-0114 0211-0215 0221-0223 0231 0232 0311-0314 0321 0322 0411-0417 0421
0511 0512 0521 0522 0531-0533 0541 0542 0611-0613 0711-0716 0721-0724 0731 0732 0811 0812 0821
0831 0841
0911-0917 0921-0923 1011-1015 1021 1022 1031 1032 1041
0188 0288 0388 0488 0588 0688 0788 0888 0988 1088
"""


def _expanded(ranges: str) -> frozenset[str]:
    codes: set[str] = set()
    for part in ranges.split():
        first, _, last = part.partition("-")
        codes |= {f"{code:04}" for code in range(int(first), int(last or first) + 1)}
    return frozenset(codes)


ISCO_08 = _expanded(_ISCO_08)
"""The 436 unit groups of ISCO-08."""
ISCED_F = _expanded(_ISCED_F)
"""The detailed fields of ISCED-F 2013, and the inter-disciplinary programmes of each broad
field.
"""


def _isco(code: str) -> str:
    if code not in ISCO_08:
        raise PydanticCustomError(
            "unknown_isco_08", "a unit group of ISCO-08", {"code": "unknown_isco_08"}
        )
    return code


def _isced(code: str) -> str:
    if code not in ISCED_F:
        raise PydanticCustomError(
            "unknown_isced_f", "a detailed field of ISCED-F 2013", {"code": "unknown_isced_f"}
        )
    return code


IscoCode = Annotated[str, AfterValidator(_isco)]
"""A unit group of ISCO-08."""
IscedCode = Annotated[str, AfterValidator(_isced)]
"""A detailed field of ISCED-F 2013."""
