"""单独同意: the text that somebody agrees to before a face is compared, and what stands in its place (domain 7.2).

A text is never changed, only followed by another version: a consent row names its version and the hash of what was read.
"""

from __future__ import annotations

import hashlib
from decimal import Decimal
from enum import Enum

from review_flow.i18n import _, say
from review_flow.rules.words import AttestationKind

ALTERNATIVES = {
    AttestationKind.ON_SITE: _("现场核验：两位工作人员各自当面核对，分别签名；"),
    AttestationKind.LIVE_RECORDING: _("现场录制：在一位工作人员见证下录制，由其签名；"),
    AttestationKind.TESTIMONY: _("书面证明：坊主（教研组长）写明出镜的是您本人，并签名；"),
    AttestationKind.CREATION_TRACE: _("创作过程：一位工作人员查看工程文件、修改记录等，并签名。"),
}
"""The equal ways, in the order in which they are offered."""

_ONLY_CHECKING = _(
    "用来做什么：只用来核对您所交证据里出镜的是不是您本人。为了把人区分开，您的特征也会与其他同意者所交的文件比对，其他同意者的特征也会与您的文件比对。不作别的用途。"
)
_CHECKING_AND_BLURRING = _(
    "用来做什么：核对您所交证据里出镜的是不是您本人；学校为您的作品另做一份遮挡人脸的副本时，用来把您留在画面里。为了把人区分开，您的特征也会与其他同意者所交的文件比对，其他同意者的特征也会与您的文件比对。不作别的用途。"
)
_BY_COMMAND = _(
    "您可以随时撤回（review-flow teacher withdraw-consent）：特征立即销毁，还没有完成的核对改由人工；撤回前已有的结论不变。谁在什么时候为哪个文件读取过您的特征，可以用 review-flow teacher face-log 查看。"
)
_ON_THE_PAGE = _(
    "您可以随时在网页“我的账号 → 人脸比对”上撤回：特征立即销毁，还没有完成的核对改由人工；撤回前已有的结论不变。谁在什么时候为哪个文件读取过您的特征，也在那一页上看。"
)
_VERSIONS = {
    "2026-11": (_ONLY_CHECKING, _BY_COMMAND),
    "2026-12": (_CHECKING_AND_BLURRING, _BY_COMMAND),
    "2027-01": (_CHECKING_AND_BLURRING, _ON_THE_PAGE),
}
"""Where the versions differ: what it is for, and how it is withdrawn."""
CURRENT = "2027-01"
"""The version that consent is asked to; one to an earlier version covers nothing that is done now."""
TEXTS = {
    version: (
        _("不作人脸比对也可以。下列方式同等有效，截止时间相同，结果、导出和评审页面上都不留选择的痕迹："),
        *ALTERNATIVES.values(),
        _("什么都不选，就由考核组两人查看。不同意或撤回同意，对分数、等级和期限没有任何影响。"),
        _("谁处理：您的学校；有疑问请找校级管理员。"),
        purpose,
        _(
            "处理什么：由您提供的照片算出人脸特征，照片本身不保存；特征加密保存，密钥不在数据库里。学生的人脸只数人数，不保存特征。"
        ),
        _("在哪里：只在本校的机器上，不上传，不给第三方。"),
        _("保存多久：到您参加的轮次申诉期结束为止，届时销毁；不在任何轮次里的，也按期销毁。"),
        _("机器只能认出您，不能判您不合格：没有认出时由人查看。"),
        withdrawal,
    )
    for version, (purpose, withdrawal) in _VERSIONS.items()
}


def text_of(version: str = CURRENT) -> str:
    """Return a version of the text in the reader's language, a paragraph a line; KeyError for one that never was."""
    return "\n".join(say(paragraph) for paragraph in TEXTS[version])


def digest_of(text: str) -> str:
    """Return the SHA-256 of a text as it was read."""
    return hashlib.sha256(text.encode()).hexdigest()


FILING_PEOPLE = 100_000
FILING_DAYS = 30
NEAR = Decimal("0.8")


class Filing(Enum):
    """Whether the law asks for filing with the provincial 网信: at 100 000 stored people, in 30 working days (办法 §15)."""

    FAR = "far"
    NEAR = "near"
    DUE = "due"


def filing(people: int) -> Filing:
    """Return how near a number of people with stored faces is to the threshold; warned of from 80 % on."""
    if people >= FILING_PEOPLE:
        return Filing.DUE
    return Filing.NEAR if people >= FILING_PEOPLE * NEAR else Filing.FAR
