import json
from pathlib import Path

import pytest

from review_flow import schemes
from review_flow.schemes.check import SCHEMA, check
from review_flow.schemes.document import Mistake

ROOT = Path(schemes.__file__).parents[2]
XIAN = next(one.file for one in schemes.available() if one.id == "xian-2022-appraisal").read_text(encoding="utf-8")
HEAD = "schema: kaohe/1\nid: mine\ntitle_zh: 本校方案\n"


def errors(text: str) -> list[tuple[int, str, str]]:
    found = check(text, source="mine.yaml")
    return [(one.line, one.field, one.text) for one in found if one.level == "error"]


def warnings(text: str) -> list[tuple[int, str, str]]:
    found = check(text, source="mine.yaml")
    return [(one.line, one.field, one.text) for one in found if one.level == "warning" and "待确认" not in one.text]


def edited(old: str, new: str) -> tuple[str, int]:
    """001-A with one place changed, and the line of that place."""
    assert XIAN.count(old) == 1
    return XIAN.replace(old, new), XIAN[: XIAN.index(old)].count("\n") + 1


def test_docs_and_code_hold_the_same_schema():
    published = (ROOT / "docs" / "scheme.schema.json").read_bytes()
    assert published == SCHEMA.read_bytes()
    from jsonschema import Draft202012Validator

    Draft202012Validator.check_schema(json.loads(published))


@pytest.mark.parametrize("name", ["defaults", *(one.id for one in schemes.available())])
def test_a_built_in_scheme_reports_its_open_questions_and_nothing_else(name):
    text = (ROOT / "review_flow" / "schemes" / f"{name}.yaml").read_text(encoding="utf-8")
    assert errors(text) == []
    assert warnings(text) == []
    asked = [one.field for one in check(text, source="x.yaml")]
    if name != "defaults":
        assert asked
        assert set(asked) == {f"unknowns.{unknown.id}" for unknown in schemes.load(name).unconfirmed()}


def test_a_complete_document_is_a_scheme_too():
    from jsonschema import Draft202012Validator

    document = dict(schemes.load("xian-2022-appraisal").document)
    assert list(Draft202012Validator(json.loads(SCHEMA.read_text())).iter_errors(document)) == []


def test_open_questions_warn_in_a_draft_and_stop_a_ready_scheme():
    draft = check(XIAN, source="x.yaml")
    ready = check(XIAN, source="x.yaml", ready=True)
    assert {one.level for one in draft} == {"warning"}
    assert {one.level for one in ready} == {"error"}
    weights = next(one for one in draft if one.field == "unknowns.weights")
    assert weights.text == "本校待确认：互评与考核组评分的权重（原文未给），现用2处默认值。"
    names = ", ".join(unknown.id for unknown in schemes.load("xian-2022-appraisal").unknowns)
    confirmed = XIAN.replace("\nsources:\n", f"\nconfirmed: [{names}]\nsources:\n")
    assert check(confirmed, source="x.yaml", ready=True) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- 1\n", (1, "", "方案应是一组“字段: 值”。")),
        ("a: [1\n", (2, "", "不是正确的 YAML：expected ',' or ']', but got '<stream end>'")),
        ("a: 1\na: 2\n", (2, "", '不是正确的 YAML：found duplicate key "a" with value "2" (original value: "1")')),
        ("a: \x01\n", (1, "", "不是正确的 YAML。")),
        ("schema: kaohe/1\nid: mine\n", (1, "", "缺少title_zh。")),
        ("a: &a [1]\nb: [*a, *a]\n", (2, "", "请不要用引用（*a），把值写出来。")),
        ("a: &a [*a]\n", (1, "", "请不要用引用（*a），把值写出来。")),
        ("a: 1\n<<: {b: 1}\n", (2, "", "请不要用合并（<<），把值写出来。")),
        ("[" * 5000, (1, "", "层次太深（超过40层）。")),
        ("a: " + "9" * 5000, (1, "", "不是正确的 YAML。")),
        ("a" * 150_001, (1, "", "方案太长（超过150000字）。")),
        ("!!python/object/apply:os.system [ls]\n", (1, "", "方案应是一组“字段: 值”。")),
        (HEAD + "inherits: [a]\n", (4, "inherits", "应为一组字段。")),
        (HEAD + "inherits: {bands: {a: 1}}\n", (4, "inherits.bands", "应为文字。")),
        (HEAD + "catalogue: []\n", (4, "catalogue", "写法不对：[]（微能力目录：编号，或直接写出的目录）。")),
        (HEAD.replace("kaohe/1", "kaohe/9"), (1, "schema", "应为kaohe/1。")),
        (HEAD + "version: '1'\n", (4, "version", "应为整数。")),
        (HEAD + "version: 0\n", (4, "version", "不能小于1。")),
        (HEAD + "gatess: []\n", (4, "gatess", "不认识的字段“gatess”，是不是“gates”？")),
        (HEAD + "zzz: []\n", (4, "zzz", "不认识的字段“zzz”。")),
        (HEAD + "bands: {boundary: middle}\n", (4, "bands.boundary", "应为以下之一：lower_inclusive、upper_inclusive。")),
        (HEAD + "ability: {levels: [优秀]}\n", (4, "ability.levels", "至少要有2个。")),
        (HEAD + "adjust: {clamp: [0, 50, 100]}\n", (4, "adjust.clamp", "最多只能有2个。")),
        (HEAD + "adjust: {order: [compose, compose]}\n", (4, "adjust.order", "有重复的值。")),
        (HEAD + "level_marks: {优秀: [80, 很好]}\n", (4, "level_marks.优秀.1", '写法不对："很好"（精确小数）。')),
        (HEAD + "effective_from: 三月\n", (4, "effective_from", '写法不对："三月"（日期，如 2022-03-01）。')),
        (
            HEAD + "hours:\n  ledgers:\n    - id: total\n      name_zh: 总学时\n      min: 五十\n",
            (8, "hours.ledgers.total.min", '写法不对："五十"（精确小数）。'),
        ),
        (HEAD + "catalogue: {id: k, title_zh: 甲, dimensions: [], abilities: []}\n", (4, "catalogue.dimensions", "至少要有1个。")),
        (HEAD + "catalogue: nowhere\n", (4, "catalogue", "找不到微能力目录“nowhere”。")),
        (HEAD + "inherits: {bands: nowhere}\n", (4, "inherits.bands", "找不到考核方案“nowhere”。")),
        (
            HEAD + "hours:\n  ledgers:\n    - {id: a, name_zh: 甲, min: 1}\n    - {id: a, name_zh: 乙, min: 2}\n",
            (6, "hours.ledgers.a", "“a”写了两次。"),
        ),
    ],
)  # fmt: skip
def test_mistakes_of_form(text, expected):
    assert errors(text)[:1] == [expected]


def test_what_is_missing_is_said_once_however_much_it_is() -> None:
    assert errors("id: mine\n") == [(1, "", "缺少schema、title_zh。")]


@pytest.mark.parametrize(
    ("old", "new", "field", "text"),
    [
        ("panel: 0.60}}", "panel: 0.50}}", "compose.sources", "权重之和应为1，现为0.90。"),
        ("{peer: 0.40, panel: 0.60}", "{peer: 1}", "compose.sources", "必须有考核组（panel）的权重。"),
        ("{peer: 0.40, panel: 0.60}", "{peer: -0.5, panel: 1.5}", "compose.sources", "权重不能为负。"),
        ("give: 3, receive_target: 3", "give: 0, receive_target: 0", "review.peer.give", "互评计入成绩，却不要求互评。"),
        ("min: 60, max: 80", "min: 60, max: 75", "bands.list.合格.max", "75到80之间没有等次（合格与优秀之间有空档）。"),
        ("min: 60, max: 80", "min: 60, max: 85", "bands.list.合格.max", "80到85之间有两个等次（合格与优秀重叠）。"),
        ("min: 0, max: 60", "min: 10, max: 60", "bands.list", "等次应从0分到100分。"),
        ("min: 80, max: 100", "min: 110, max: 100", "bands.list.优秀", "优秀的下限110大于上限100。"),
        ("min: 80, max: 100", "when: self_test.done", "bands.list", "所有等次要么都写 min 和 max，要么都写 when。"),
        ("min: 80, max: 100, modal", "min: 80, modal", "bands.list", "所有等次要么都写 min 和 max，要么都写 when。"),
        ('合格: ">=1"', '及格: ">=1"', "level_marks", "等级应与 checklist_levels 相同：优秀、及格、不合格。"),
        ("order: [compose, ", "order: [", "adjust.order", "第一步应为 compose。"),
        ("clamp: [0, 100]", "clamp: [100, 0]", "adjust.clamp", "下限应小于上限。"),
        ("name_zh: 培训迟到, each: -1", "name_zh: 培训迟到, each: 1", "adjust.deductions.late_arrival.each", "扣分应写成负数。"),
        ("cap: 5", "cap: -5", "adjust.bonuses.award.cap", "封顶不能为负。"),
        ("expr: hours.met", "expr: hours.online >= 25", "gates.G_HOURS.expr", "表达式中的“hours.online”在方案里没有定义。"),
        ("expr: hours.met", "expr: hours.met >", "gates.G_HOURS.expr", "表达式“hours.met >”没有写完。"),
        ("exemptions: []", "exemptions: [{id: old, text_zh: 将退休, expr: age > 55}]", "applies_to.exemptions.old.expr", "表达式“age > 55”中的“age”不能这样用。"),
        ("checklist_levels: {", "consequences: [{id: a, text_zh: 评优}, {id: b, text_zh: 晋级, when: grade}]\nchecklist_levels: {", "consequences.b.when", "表达式“grade”没有写完。"),
        ("    on_fail: {grade: 不合格}", "    on_fail: {grade: 差}", "gates.G_ABIL.on_fail.grade", "应为以下之一：优秀、合格、不合格。"),
        ("teacher: {min: 3, max: null", "teacher: {min: 3, max: 2", "select.teacher", "最多2项少于最少3项。"),
        ("max: null, min_dimensions: 3", "max: null, min_dimensions: 5", "select.teacher.min_dimensions", "选3项、目录4个维度，覆盖不了5个维度。"),
        ("school: {exactly: null, min: 3, min_d", "school: {exactly: 2, min: 3, min_d", "select.school", "学校清单2项，教师却要从中选3项。"),
        ("min: 3, min_dimensions: 3}\n  teacher", "min: 3, min_dimensions: 2}\n  teacher", "select.school.min_dimensions", "学校清单应至少覆盖3个维度，否则没有教师能选够。"),
        ("receive_min: 2", "receive_min: 4", "review.peer.receive_min", "最少收到的份数大于目标份数。"),
        ("receive_target: 3", "receive_target: 4", "review.peer.receive_target", "每人只评3份，不可能人人收到4份。"),
        ("{id: peer_give, path: review.peer.give", "{id: peer_give, path: review.peer.takes", "unknowns.peer_give.path", "方案里没有“review.peer.takes”这个字段。"),
        ("unknowns:\n", "confirmed: [moon]\nunknowns:\n", "confirmed", "待确认事项里没有“moon”。"),
        ("locked: [method, review", "locked: [methods, review", "lock.locked", "方案里没有“methods”这个字段。"),
        ("  method: 001-A-20", "  methods: 001-A-20", "method", "没有出处：请在 sources 里写规则编号或 default。"),
        ("  method: 001-A-20", "  method: 001-A-20\n  moon: default", "sources.moon", "方案里没有“moon”这个字段。"),
        ("{id: assess, name_zh: 课后评价, scored: false}", "{id: assess, name_zh: 课后评价}", "components.assess", "考核项没有写要交什么（needs），也没有下级。"),
        ("scored: false}", "scoring: {type: checklist}}", "components.assess", "勾选式考核项没有条目。"),
    ],
)  # fmt: skip
def test_contradictions(old, new, field, text):
    scheme, _line = edited(old, new)
    assert (field, text) in [(found, said) for _line, found, said in errors(scheme)]


def test_a_contradiction_is_told_with_its_line():
    text, line = edited("panel: 0.60}}", "panel: 0.50}}")
    assert errors(text) == [(line, "compose.sources", "权重之和应为1，现为0.90。")]
    (mistake,) = [one for one in check(text, source="我校.yaml") if one.level == "error"]
    assert str(mistake) == f"我校.yaml:{line} compose.sources：权重之和应为1，现为0.90。"
    assert str(Mistake("甲.yaml", 3, "", "不是正确的 YAML。")) == "甲.yaml:3 不是正确的 YAML。"


@pytest.mark.parametrize(
    ("lines", "field", "text"),
    [
        ("ability: {pass_level: 良好}", "ability.pass_level", "应为以下之一：优秀、合格、不合格。"),
        ("level_marks: {优秀: [90, 80], 合格: [60, 79], 不合格: [0, 59]}", "level_marks.优秀", "分数段90–80不对。"),
        ("bands: {list: [{grade: 甲, min: 60, max: 100}, {grade: 乙, min: 0, max: 60}]}", "bands.list", "等次按分数划分，但 compose.sources 没有分数来源。"),
        ("bands: {list: [{grade: 甲, when: self_test.done}, {grade: 乙, when: ack.scheme}]}", "bands.list", '最后一个等次应为 when: "true"，否则有人没有等次。'),
        ("adjust: {bonuses: [{id: a, name_zh: 获奖, table: 表, may_cross_pass: false}]}", "adjust.bonuses.a.may_cross_pass", "等次不按分数划分，没有合格线。"),
        ("select: {tiers: [{id: core, name_zh: 核心组, min: 5, max: 4}]}", "select.tiers.core", "最多4项少于最少5项。"),
        ("review: {peer: {reliability: {weight_min: 0}}}", "review.peer.reliability", "权重下限应大于0且不超过1，上限不小于1。"),
        ("review: {peer: {reliability: {weight_max: 0.9}}}", "review.peer.reliability", "权重下限应大于0且不超过1，上限不小于1。"),
        ("review: {peer: {disagreement: {straddle_probability: 1.1}}}", "review.peer.disagreement.straddle_probability", "应在0到1之间。"),
        ("review: {peer: {effort: {copied_share: -0.1}}}", "review.peer.effort.copied_share", "应在0到1之间。"),
        ("evidence: {confidence: 1}", "evidence.confidence", "应在0.5到0.9999之间。"),
        ("evidence: {confidence: 0.4}", "evidence.confidence", "应在0.5到0.9999之间。"),
        ("evidence: {limits: {Z9: {material: {count: 1}}}}", "evidence.limits.Z9", "微能力目录里没有“Z9”。"),
        ("evidence: {limits: {A1: {song: {count: 1}}}}", "evidence.limits.A1.song", "A1没有证据项“song”。"),
        ("evidence: {limits: {A1: {report: {min_seconds: 400}}}}", "evidence.limits.A1.report", "“学情分析报告”的下限大于上限。"),
        ("evidence: {slots: [{id: text, name_zh: 文稿, min_chars: 9, max_chars: 8}]}", "evidence.slots.text", "“文稿”的下限大于上限。"),
    ],
)  # fmt: skip
def test_contradictions_of_a_small_scheme(lines, field, text):
    own = HEAD + lines + f"\nsources: {{{lines.split(':')[0]}: default}}\n"
    assert (4, field, text) in errors(own)


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        ("{report: {max_seconds: 360}}", "比能力规范宽：规范为300，方案为360。"),
        ("{report: {max_seconds: null}}", "比能力规范宽：规范为300，方案为无。"),
        ("{report: {shows_teacher: false}}", "比能力规范宽：规范为是，方案为否。"),
        ("{report: {max_seconds: 240, kind: video, min_seconds: 60}}", None),
    ],
)
def test_limits_looser_than_the_guide_deserve_a_look(limits, text):
    own = HEAD + f"evidence: {{limits: {{A1: {limits}}}}}\nsources: {{evidence: default}}\n"
    if text is None:
        assert [said for _line, _field, said in warnings(own) if "规范宽" in said] == []
    else:
        assert text in [said for _line, _field, said in warnings(own)]


def test_fewer_pieces_than_the_guide_deserve_a_look():
    own = HEAD + "evidence: {limits: {A5: {voices: {count: 1}}}}\nsources: {evidence: default}\n"
    assert warnings(own) == [(4, "evidence.limits.A5.voices.count", "比能力规范宽：规范为2，方案为1。")]


def test_advice():
    own = (
        HEAD + "adjust: {order: [compose, clamp, deduct]}\nevidence: {limits: {A1: {report: {shows_teacher: false}}}}\n"
    )
    own += "sources: {adjust: default, evidence: default}\n"
    assert [(line, field, text) for line, field, text in warnings(own) if "规范宽" not in text] == [
        (4, "adjust.order", "截断（clamp）通常只做一次，放在最后。"),
        (5, "evidence.validity", "这些微能力没有一项证据要求出现教师本人：A1。"),
    ]
    blind = own.replace("limits:", "validity: {invalid_if_any: []}, limits:")
    assert "evidence.validity" not in [field for _line, field, _text in warnings(blind)]


@pytest.mark.parametrize(
    ("chain", "field", "text"),
    [
        ("{chain: [学校审核], peers: 互评, days: 3}", "approval.peers", "应为以下之一：学校审核。"),
        ("{chain: [], peers: 互评, days: 3}", "approval.peers", "应为以下之一：无。"),
        (
            "{chain: [学校审核, 互评], peers: 互评}",
            "approval.peers",
            "互评之前有审核时，须写明几日内审核（days），逾期不停等。",
        ),
        ("{chain: [学校审核, 学校审核]}", "approval.chain", "“学校审核”写了两次。"),
    ],
)
def test_a_chain_of_approvals_never_stops_for_ever(chain, field, text):
    written = XIAN.replace("\nsources:\n", f"\napproval: {chain}\nsources:\n  approval: 001-C-07\n")
    found = errors(written)
    assert [(one, told) for _line, one, told in found] == [(field, text)]


@pytest.mark.parametrize(
    ("quota", "field", "text"),
    [
        ("of: buletin", "of", "没有“buletin”这个数"),
        ("of: bulletin, share_of: member", "share_of", "没有“member”这个数"),
        ("of: bulletin, share_of: class_members", "share_of", "“class_members”不在这一级计算（班里现有的人数）。"),
        ("of: school_workshops", "of", "“school_workshops”不在这一级计算（本校的工作坊数）。"),
    ],
)
def test_a_quota_names_what_is_computed_at_its_level_or_told_of(quota, field, text):
    line = f"  - {{id: q, name_zh: 指标, op: '>=', value: 1, {quota}}}"
    written = (
        f"{HEAD}quotas:\n{line}\ngroups: {{told: {{bulletin: 简报}}}}\nsources: {{quotas: 000-D-8, groups: 000-D-8}}\n"
    )
    found = [one for one in errors(written) if one[1].startswith("quotas.q")]
    assert [(one, told[: len(text)]) for _line, one, told in found] == [(f"quotas.q.{field}", text)]


def test_a_target_is_computed_or_told_of():
    targets = "".join(
        f"  - {{id: {name}, name_zh: 指标, op: '>=', value: 1}}\n" for name in ("trained", "admission", "trainned")
    )
    written = f"{HEAD}targets:\n{targets}groups: {{told: {{admission: 升学率}}}}\nsources: {{targets: 002-1-03, groups: 002-1-03}}\n"
    known = "appraisal_all、participation、trained、training_all"
    text = f"没有“trainned”这个数：系统计算的有{known}；要登记的，请写在 groups.told 里。"
    assert errors(written) == [(7, "targets.trainned", text)]


DATED = f"{HEAD}phases:\n  - {{id: p, name_zh: 阶段, tasks: [{{id: t, text_zh: 任务, by: '02-12'}}]}}\n"


def test_vacations_are_asked_about_only_where_a_task_has_its_day():
    asked = [one.field for one in check(f"{DATED}sources: {{phases: 000-E-1}}\n", source="mine.yaml")]
    assert "unknowns.default_vacations" in asked
    undated = f"{DATED}sources: {{phases: 000-E-1}}\n".replace(", by: '02-12'", "")
    assert "unknowns.default_vacations" not in [one.field for one in check(undated, source="mine.yaml")]
    own = "groups: {vacations: [{id: spring, name_zh: 春假, from: '04-31', to: '05-02'}]}\n"
    written = f"{DATED}{own}sources: {{phases: 000-E-1, groups: 000-E-1}}\n"
    assert errors(written) == [(6, "groups.vacations.spring.from", "没有“04-31”这一天。")]
    assert "unknowns.default_vacations" not in [one.field for one in check(written, source="mine.yaml")]
