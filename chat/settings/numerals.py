"""Chinese numerals: 十, 两千, 三百六十五, 8千, 1.5万, 半."""

import re

_DIGITS = {sign: number for number, sign in enumerate("〇一二三四五六七八九")} | {"零": 0, "两": 2}
_SMALL = {"十": 10, "百": 100, "千": 1000}
_LARGE = {"万": 10**4, "亿": 10**8}
_NUMERAL = re.compile("[〇零一二两三四五六七八九十百千万亿]+")
_MIXED = re.compile(r"(\d+(?:\.\d+)?)\s*([百千万亿]+)")


def with_digits(text: str) -> str:
    """The text with its first Chinese numeral in digits; without one, as it is."""
    text = _MIXED.sub(_multiplied, text, count=1)
    if text.startswith("半"):
        return f"0.5{text[1:]}"
    return _NUMERAL.sub(lambda match: str(_value(match[0])), text, count=1)


def _multiplied(match: re.Match[str]) -> str:
    product = float(match[1])
    for sign in match[2]:
        product *= (_SMALL | _LARGE)[sign]
    return str(int(product)) if product.is_integer() else str(product)


def _value(numeral: str) -> int:
    """三百六十五 is 365, and so is 三六五."""
    if not set(numeral) & (_SMALL.keys() | _LARGE.keys()):
        return int("".join(str(_DIGITS[sign]) for sign in numeral))
    total = part = digit = 0
    for sign in numeral:
        if sign in _DIGITS:
            digit = _DIGITS[sign]
        elif sign in _SMALL:
            part, digit = part + (digit or 1) * _SMALL[sign], 0
        else:
            total, part, digit = (total + part + digit) * _LARGE[sign], 0, 0
    return total + part + digit
