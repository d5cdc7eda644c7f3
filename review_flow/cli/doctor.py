"""`review-flow doctor`: looks an installation over, each part by itself, so that one fault doesn't hide another."""

from __future__ import annotations

import importlib.util
import re
import stat
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import func, select, text

from models import DueWork
from review_flow.cli.common import local
from review_flow.cli.refusals import explained
from review_flow.clock import SCHOOL_ZONE, now
from review_flow.db import engine_for, settings, transaction
from review_flow.i18n import _, listed, say
from review_flow.migrate import is_current, may_alter
from review_flow.rules.consent import FILING_DAYS, FILING_PEOPLE, Filing, filing
from review_flow.steps import face_keys, faces, work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

RENEW_DAYS = 60
RENEWED_DAYS = 90
"""How often all libraries are brought up to date, as `docs/security.md` promises."""
FACE_MODELS = ("shape_predictor_5_face_landmarks.dat", "dlib_face_recognition_resnet_model_v1.dat")


class Health(Enum):
    """How a part is: fine, worth a look, or to be mended."""

    GOOD = "good"
    NOTE = "note"
    BAD = "bad"


SIGNS = {Health.GOOD: "✓", Health.NOTE: "!", Health.BAD: "✗"}


@dataclass(frozen=True, slots=True)
class Found:
    """What was seen of one part."""

    name: str
    title: str
    health: Health
    text: str


def examined() -> list[Found]:
    """Examine every part. A part that fails says so itself; without settings or database the rest can't be asked."""
    found: list[Found] = []
    for name, (title, look) in PARTS.items():
        seen = list(_seen(name, title, look))
        found += seen
        if name in NEEDED and any(one.health is Health.BAD for one in seen):
            break
    return found


def _seen(name: str, title: str, look: Callable[[], Iterable[tuple[Health, str]]]) -> Iterable[Found]:
    try:
        for health, sentence in look():
            yield Found(name, title, health, sentence)
    except Exception as error:  # noqa: BLE001 - whatever a part does, the others are looked at
        answer = explained(error)
        yield Found(name, title, Health.BAD, answer.text if answer else f"{type(error).__name__}: {error}")


def _settings() -> Iterable[tuple[Health, str]]:
    chosen = settings()
    yield Health.GOOD, say(_("家目录 {home}，时区 {zone}"), home=chosen.home, zone=SCHOOL_ZONE.key)


def _home() -> Iterable[tuple[Health, str]]:
    chosen = settings()
    home = chosen.home
    if not home.exists():
        yield Health.NOTE, say(_("{home}还没有建立，第一次使用时建立"), home=home)
        return
    chosen.require_keys_moved()
    wide = chosen.open_to_others()
    for one in wide:
        mode = f"{stat.S_IMODE(one.stat().st_mode):o}"
        yield Health.BAD, say(_("{path}的权限是 {mode}，别人也能读；请运行 chmod go-rwx {path}"), path=one, mode=mode)
    if not wide:
        yield Health.GOOD, say(_("只有本用户可读写"))


def _database() -> Iterable[tuple[Health, str]]:
    chosen = settings()
    if chosen.database_url is None and not (chosen.home / "review-flow.db").exists():
        yield Health.BAD, say(_("还没有建立，请运行 review-flow migrate"))
        return
    engine = engine_for(chosen.database)
    with engine.connect() as connection:
        postgres = engine.dialect.name == "postgresql"
        version = connection.scalar(text("SHOW server_version" if postgres else "SELECT sqlite_version()"))
    kind = "PostgreSQL" if postgres else "SQLite"
    if is_current(engine):
        yield Health.GOOD, say(_("{kind} {version}，结构是最新的"), kind=kind, version=version)
    else:
        yield (
            Health.BAD,
            say(_("{kind} {version}，结构不是最新的，请运行 review-flow migrate"), kind=kind, version=version),
        )
    if may_alter(engine):
        yield Health.NOTE, say(_("这个账户也能改表结构和审计记录；日常请另用一个账户（migrate --grant-to）"))


def _due() -> Iterable[tuple[Health, str]]:
    with transaction() as session:
        due = {kind.value: count for kind, count in work.due_kinds(session).items()}
        oldest = session.scalar(
            select(func.min(DueWork.due_at)).where(DueWork.done_at.is_(None), DueWork.parked_at.is_(None))
        )
    if due:
        names = listed(f"{kind} {count}" for kind, count in due.items())
        yield (
            Health.NOTE,
            say(_("到期未做：{names}（最早 {oldest}）；请运行 review-flow work"), names=names, oldest=local(oldest)),
        )
    else:
        yield Health.GOOD, say(_("没有到期未做的工作"))


def _parked() -> Iterable[tuple[Health, str]]:
    with transaction() as session:
        parked = list(session.scalars(select(DueWork).where(DueWork.parked_at.is_not(None)).order_by(DueWork.id)))
    for one in parked:
        yield (
            Health.BAD,
            say(
                _("{kind} {subject} 已搁置：{reason}。排除后运行 review-flow resume {id}"),
                kind=one.kind.value,
                subject=one.subject_id,
                reason=one.parked_reason,
                id=one.id,
            ),
        )
    if not parked:
        yield Health.GOOD, say(_("没有被搁置的工作"))


def _fonts() -> Iterable[tuple[Health, str]]:
    from review_flow.evidence.contact_sheet import chinese_font

    path = chinese_font()
    if path is None:
        yield Health.NOTE, say(_("没有中文字体，画面一览图用英文；Debian：apt-get install fonts-noto-cjk"))
    else:
        yield Health.GOOD, str(path)


def _prefect() -> Iterable[tuple[Health, str]]:
    from flows.server import lets_in, reachable

    url = reachable(settings())
    if url is not None and not lets_in(url, settings().prefect_auth()):
        yield Health.BAD, say(_("{url} 不认我们的口令；请核对 REVIEW_FLOW_PREFECT_AUTH_STRING"), url=url)
    elif url is not None:
        yield Health.GOOD, say(_("在 {url} 应答"), url=url)
    elif settings().prefect_api_url is not None:
        yield Health.BAD, say(_("{url} 没有应答；到期的工作等着，不会丢"), url=settings().prefect_api_url)
    else:
        yield Health.NOTE, say(_("内置服务没有在运行；review-flow work 会启动它"))


def _faces() -> Iterable[tuple[Health, str]]:
    own = settings().face_models
    if own is not None:
        from review_flow.evidence.faces_opencv import unusable

        why = unusable(own)
        if why is None:
            yield Health.GOOD, _calibrated(own)
            return
        yield Health.BAD, say(_("{why}。现在用的是自带的模型"), why=why)
    spec = importlib.util.find_spec("face_recognition_models")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    lacking = [name for name in FACE_MODELS if not any((Path(one) / "models" / name).is_file() for one in folders)]
    if lacking:
        yield Health.BAD, say(_("缺少人脸模型：{names}"), names=listed(lacking))
    else:
        yield Health.GOOD, _calibrated(None)


def _calibrated(own: Path | None) -> str:
    """Say which models are used and on whom they were calibrated."""
    from review_flow.evidence.faces import CALIBRATION
    from review_flow.evidence.likeness import Calibration, built_in

    used = Calibration.read(own / CALIBRATION) if own else built_in()
    about = used.provenance
    people = sum(group["people"] for group in about["groups"].values())
    text = _("用{encoder}，在{made_on}上校准（{people}人）")
    return say(text, encoder=used.encoder, made_on=about["made_on"], people=people)


def _libraries() -> Iterable[tuple[Health, str]]:
    yield from renewed(Path(__file__).parents[2] / "uv.lock")


def renewed(lock: Path) -> Iterable[tuple[Health, str]]:
    """Say when the newest of the locked libraries was published, and when that is longer ago than promised.

    It needs no connection, so it tells nothing of faults that became known since.
    """
    if not lock.is_file():  # from a wheel, say: then the versions are whoever's who installed them
        yield Health.NOTE, say(_("没有 uv.lock：软件库不是按它安装的，说不出有多旧"))
        return
    published = re.findall(r'\bupload-time = "([^"]+)"', lock.read_text(encoding="utf-8"))
    newest = max(datetime.fromisoformat(one) for one in published)
    days, day = (now() - newest).days, f"{newest.astimezone(SCHOOL_ZONE):%Y-%m-%d}"
    if days < RENEWED_DAYS:
        yield Health.GOOD, say(_("锁定的版本中，最新的发布于{day}"), day=day)
    else:
        text = _("锁定的版本中，最新的发布于{day}，已过{days}天（应在{most}天内全部更新一次）；请看看有没有新版本")
        yield Health.NOTE, say(text, day=day, days=days, most=RENEWED_DAYS)


def _sandbox() -> Iterable[tuple[Health, str]]:
    from review_flow.evidence.sandbox import protections

    words = {"files": say(_("打开其他文件")), "network": say(_("上网")), "processes": say(_("启动程序"))}
    refused = {
        right: listed(words[one] for one, kept in protections().items() if kept is right) for right in (True, False)
    }
    if refused[True]:
        yield Health.GOOD, say(_("检查文件的子进程由系统内核禁止：{names}"), names=refused[True])
    if refused[False]:
        text = _(
            "本机内核不能禁止检查文件的子进程：{names}；内存和时间限制仍然有效。建议在 Linux（x86-64 或 ARM64）上运行"
        )
        yield Health.NOTE, say(text, names=refused[False])


def _certificate() -> Iterable[tuple[Health, str]]:
    from review_flow.outside.authority import Pair, days_left

    kept = Pair(settings())
    if not kept.complete():
        yield Health.NOTE, say(_("没有本校自建的证书；局域网可用 review-flow tls make 建立"))
        return
    left, names = days_left(kept), listed(kept.names())
    if left > RENEW_DAYS:
        yield Health.GOOD, say(_("{names}的证书还有{days}天到期"), names=names, days=left)
    else:
        yield (
            Health.BAD,
            say(
                _("{names}的证书还有{days}天到期；请运行 review-flow tls make，再重新启动 serve"),
                names=names,
                days=max(0, left),
            ),
        )


def _breaches() -> Iterable[tuple[Health, str]]:
    from review_flow.outside.breaches import Breaches

    path = settings().breached_passwords
    if path is None:
        yield Health.NOTE, say(_("没有泄露密码库，只挡最常见的密码。可设 REVIEW_FLOW_BREACHED_PASSWORDS"))
    elif (why := Breaches(path).problem()) is not None:
        yield Health.BAD, say(_("{path} 用不了（{why}），谁都改不了密码"), path=path, why=why)
    else:
        yield Health.GOOD, str(path)


def _scanner() -> Iterable[tuple[Health, str]]:
    from review_flow.outside.scanner import tried

    place = settings().scanner
    if place is None:
        yield Health.NOTE, say(_("没有查毒：教师交来的文件不经查毒就能打开。可设 REVIEW_FLOW_SCANNER"))
        return
    size = settings().scanner_bytes
    if tried(place, most=size).whole:  # where it is away or minds the size, `_seen` says so
        yield Health.GOOD, say(_("在 {place} 应答"), place=place)
    else:
        text = _(
            "{place} 看不完 {size} 字节的文件；请调高 clamd.conf 里的 MaxFileSize 和 MaxScanSize，再重新启动 clamd"
        )
        yield Health.BAD, say(text, place=place, size=size)


def _messages() -> Iterable[tuple[Health, str]]:
    count = len(settings().message_urls)
    if count:
        yield Health.GOOD, say(_("{count}个通道"), count=count)
    else:
        yield Health.NOTE, say(_("没有配置消息通道：通知只在网页的“消息”里。可设 REVIEW_FLOW_MESSAGE_URLS"))


def _consents() -> Iterable[tuple[Health, str]]:
    with transaction() as session:
        kept = faces.stored(session)
        yield Health.GOOD, say(_("{standing}人同意，保存着{kept}份加密特征"), standing=kept.consents, kept=kept.faces)
        yield from to_file(kept.people)
        if kept.faces:
            face_keys.require_known(session, keys=settings().face_keys())


def to_file(people: int) -> Iterable[tuple[Health, str]]:
    """Say from 80 % of the law's threshold on that filing comes near, and at the threshold that it is due."""
    near = filing(people)
    if near is not Filing.FAR:
        health = Health.BAD if near is Filing.DUE else Health.NOTE
        yield health, say(FILINGS[near], people=people, limit=FILING_PEOPLE, days=FILING_DAYS)


FILINGS = {
    Filing.NEAR: _(
        "存有人脸特征的已有{people}人；达到{limit}人时，须在{days}个工作日内向省级网信部门备案，请提前准备或清理"
    ),
    Filing.DUE: _(
        "存有人脸特征的已有{people}人，达到{limit}人：须在{days}个工作日内向省级网信部门备案（《人脸识别技术应用安全管理办法》第十五条）"
    ),
}


PARTS: dict[str, tuple[str, Callable[[], Iterable[tuple[Health, str]]]]] = {
    "settings": (_("设置"), _settings),
    "home": (_("家目录"), _home),
    "fonts": (_("字体"), _fonts),
    "face_models": (_("人脸模型"), _faces),
    "libraries": (_("软件库"), _libraries),
    "sandbox": (_("隔离检查"), _sandbox),
    "certificate": (_("HTTPS 证书"), _certificate),
    "breaches": (_("泄露密码库"), _breaches),
    "scanner": (_("查毒"), _scanner),
    "messages": (_("消息通道"), _messages),
    "prefect": (_("Prefect"), _prefect),
    "database": (_("数据库"), _database),
    "due": (_("到期工作"), _due),
    "parked": (_("搁置工作"), _parked),
    "consents": (_("人脸同意"), _consents),
}
NEEDED = {"settings", "database"}
