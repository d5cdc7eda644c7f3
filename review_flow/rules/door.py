"""The door's arithmetic: how long to wait after wrong passwords, what a password must be, which device is known."""

import hashlib
import hmac
import re
from collections.abc import Container

from review_flow.i18n import _, say

SHORTEST, LONGEST, FEWEST_SIGNS = 8, 200, 5
SURELY_LONG = 16  # so long, what is around a common part counts for more than the part
WALKS = (
    "12345",
    "54321",
    "qwert",
    "asdfg",
    "zxcvb",
    "qazwsx",
    "1qaz",
    "abcde",
    "a1b2c3",
    "1q2w3e",
    "112233",
    "5201314",
)
# A birthday (19860412), a mobile number, and either with a letter or two or a name's initials around it.
PEOPLES_NUMBERS = re.compile(
    r"[a-z]{0,3}[._@-]?((19|20)\d\d(0[1-9]|1[0-2])([0-2]\d|3[01])|1[3-9]\d{9})[._@-]?[a-z]{0,3}"
)
WORDS_OF_ALL = frozenset(
    "password passwd admin administrator root guest test user welcome letmein login default changeme "  # noqa: SIM905 - a hundred quotation marks say nothing
    "school teacher student xuexiao jiaoshi laoshi xuesheng xiaozhang jiaowu jiaowuchu jiaoyan banzhuren "
    "zhongxue xiaoxue gaozhong youeryuan jiaoyu jiaoyuju kaohe kaoshi pingshen wangluo mima denglu guanli guanliyuan "
    "woaini woaiwo aini iloveyou woaizhongguo zhongguo china beijing nihao wangwei zhangwei wangfang liwei "
    "reviewflow weinengli xinxi xinxihua xinxijishu "
    "学校 教师 老师 密码 管理员 校长 中国 我爱你 你好 考核 微能力".split()
)
"""Words in small letters that belong to nobody: of doors, of schools, of this application, of feelings."""
LONGEST_WAIT_S = 60
FREE_FOR_PAIR, FREE_FOR_ACCOUNT, FREE_FOR_ADDRESS = 5, 30, 200


def wait_s(failures: int, *, free: int) -> int:
    """Return how many seconds after the last wrong password the next is looked at: none for the first `free`.

    Then 1, 2, 4 … up to a minute and no more: it slows a guesser down to 1 440 a day and locks nobody out.
    """
    return 0 if failures < free else min(LONGEST_WAIT_S, 2 ** min(failures - free, 10))


def password_problems(
    password: str,
    *,
    number: str,
    name: str,
    school: str = "",
    common: Container[str] = frozenset(),
    breached: Container[str] = frozenset(),
) -> list[str]:
    """Return, as sentences, why a password can't be taken; length counts more than kinds of signs.

    `common`: passwords in small letters that guessers try first. `breached`: those that were stolen somewhere.
    """
    problems = []
    if not SHORTEST <= len(password) <= LONGEST:
        problems.append(say(_("密码应有{least}到{most}个字符。"), least=SHORTEST, most=LONGEST))
    if len(set(password)) < FEWEST_SIGNS:
        problems.append(say(_("密码里不同的字符太少，至少{least}个。"), least=FEWEST_SIGNS))
    if any(len(own) > 1 and own.lower() in password.lower() for own in (number, name, school)):
        problems.append(say(_("密码里不要有自己的工号、姓名或学校名。")))
    if is_guessed_first(password, common):
        problems.append(say(_("密码太容易猜到，很多人用过类似的。请换成几个不相干的词，例如一句只有自己知道的话。")))
    if password in breached:
        problems.append(say(_("这个密码在别处泄露过，攻击者会先试它。请换一个从没用过的。")))
    return problems


def is_guessed_first(password: str, common: Container[str] = frozenset()) -> bool:
    """Whether guessers of this country's schools try it among the first.

    A password of the lists; a run or walk on the keyboard with something around it; a birthday or a telephone number;
    one word that everybody here thinks of, with digits and signs before and after it (Teacher@2026, woaini1314).
    """
    small = password.lower()
    letters = "".join(sign for sign in small if sign.isalpha())
    return (
        small in common
        or small.strip("!@#$%.?*") in common
        or (letters in WORDS_OF_ALL and len(password) < SURELY_LONG)
        or PEOPLES_NUMBERS.fullmatch(small) is not None
        or (len(password) < SURELY_LONG and any(walk in small for walk in WALKS))
    )


def digest(secret: str) -> str:
    """Return the SHA-256 of a token that was drawn at random, as it is kept."""
    return hashlib.sha256(secret.encode()).hexdigest()


def device_cookie(key: bytes, *, person_id: int, nonce: str) -> str:
    """Return what a browser keeps after signing in, so that it is known the next time."""
    return f"{nonce}.{_seal(key, person_id, nonce)}"


def known_device(key: bytes, *, person_id: int, cookie: str | None) -> str | None:
    """Return the nonce of a device that signed in to this account before; None for any other cookie."""
    nonce, _dot, seal = (cookie or "").partition(".")
    return nonce if nonce and hmac.compare_digest(seal.encode(), _seal(key, person_id, nonce).encode()) else None


def _seal(key: bytes, person_id: int, nonce: str) -> str:
    return hmac.new(key, f"{person_id}.{nonce}".encode(), hashlib.sha256).hexdigest()
