"""What the fields of a scheme and the words of its language are called in Chinese: data of the printed plan and of diffs.

The plan is an official Chinese document in every language, so nothing here is translated.
"""

from collections.abc import Mapping
from typing import Any

from review_flow.rules.paths import key_of

FIELDS: dict[str, str] = {
    # sections
    "title_zh": "方案名称", "edition": "工程版次", "version": "版本", "based_on": "依据", "principles": "原则",
    "effective_from": "生效日期", "effective_to": "失效日期", "applies_to": "适用范围", "roles": "角色",
    "catalogue": "微能力目录", "method": "考核方式", "lock": "方案的稳定与修订", "hours": "学时", "select": "微能力的选择",
    "prerequisites": "参评前提", "evidence": "证据要求", "review": "评审", "components": "考核项目",
    "checklist_levels": "勾选定级", "level_marks": "等级分数段", "ability": "单项能力评定", "compose": "综合得分",
    "adjust": "扣分与加分", "bands": "等次", "gates": "必备条件", "calendar": "各环节时限", "result": "结果的公布与救济",
    "deliverables": "须提交的材料", "activities": "须到场的活动", "themes": "主题任务", "theme_stages": "主题阶段",
    "theme_rule": "选题办法", "tests": "测评", "approval": "逐级审核", "quotas": "指标", "duties": "职责",
    "phases": "实施阶段", "pipeline": "逐级推优", "certificates": "证书", "consequences": "结果运用", "targets": "绩效目标",
    "reports": "上报材料", "finance": "经费", "template": "上报模板", "groups": "组织与其他规定", "unknowns": "本校待确认",
    "confirmed": "已确认事项",
    # lock
    "consistency_months": "保持不变的月数", "locked": "不得改动的部分", "amendable": "可以修订的部分",
    "amend_needs": "修订须具备",
    # applies_to
    "who": "适用对象", "exemptions": "免训", "expr": "条件", "effect": "效力", "encourage": "鼓励参加",
    "reference": "计算基准日",
    # hours
    "unit_minutes": "1学时合分钟数", "window_years": "核算年限（年）", "ledgers": "学时账目", "minutes": "分钟账目",
    "min": "不少于", "max": "不多于", "share": "占比", "base": "占比的基数", "of": "计数对象", "issuer": "颁发单位",
    "confirmed_by": "确认单位",
    # select
    "school": "学校清单", "teacher": "教师选择", "tiers": "层级", "exactly": "恰为几项", "min_dimensions": "至少覆盖维度数",
    "environments": "应用环境", "reasons": "须写明选择理由", "within": "选择范围", "alias": "又称", "part_zh": "参与方式",
    # gates
    "when": "条件", "on_fail": "未满足的后果", "block": "不得进入该环节", "grade": "等次", "return_for": "退回",
    # evidence
    "standard": "执行标准", "validity": "有效性", "scope": "认定范围", "invalid_if_any": "无效情形", "slots": "证据项",
    "confidence": "自动认出教师本人的把握", "limits": "收紧的限制", "formats": "格式", "min_seconds": "最短秒数",
    "max_seconds": "最长秒数", "min_chars": "最少字数", "max_chars": "最多字数", "count": "份数", "required": "必交",
    "shows_teacher": "须出现教师本人", "slots_verified": "证据项已核对", "verified": "已核对",
    # review
    "self_test": "校本自测", "counts": "计入得分", "peer": "同伴互评", "before_submit": "提交前完成", "give": "每人应评份数",
    "receive_target": "应得份数", "receive_min": "至少收到份数", "aggregate": "汇总方法", "pool_fallback": "成果不足时",
    "remind_hours": "到期前提醒（小时）", "allocation": "任务分配", "even_load": "负担均等", "own_workshop": "同一工作坊",
    "other_subject": "不同学科", "weights": "分配权重", "subject": "同学科", "stage": "同学段", "reciprocal": "避免互评对方",
    "workshop": "避开同坊", "former": "避开曾评过的人", "reliability": "评阅人可靠度", "weight_min": "权重下限",
    "weight_max": "权重上限", "prior_marks": "收缩强度（份）", "disagreement": "互评分歧", "spread_max": "分差上限",
    "grade_spread_max": "等次差上限", "straddle_probability": "跨越分界的概率上限", "honest_spread": "正常离散（分）",
    "honest_marks": "正常离散的先验份数", "more": "最多加评人数", "no_straddle": "分歧未消时互评不计", "effort": "敷衍迹象",
    "same_texts": "相同评语份数", "straight_reviews": "连续同分份数", "copied_share": "评语雷同比例",
    "copied_chars": "评语雷同起算字数", "tell_first_hours": "先告知本人（小时）", "panel": "考核组评审", "body": "评审机构",
    "size": "每份成果评分人数", "on_spread": "分歧过大时", "form": "评审表", "min_comment_chars": "评语最少字数",
    "min_components": "至少评定项目数",
    # components
    "scoring": "计分办法", "items": "评定条目", "scored": "单独评定", "mandatory": "必做", "key": "关键项", "points": "分值",
    "weight": "权重", "needs": "须提交", "by_role": "按角色", "by_tier": "按层级", "only": "仅限角色",
    "zero_parent": "未完成时上级项目不得分", "type": "计分方式", "metric": "计量", "op": "比较", "value": "数值", "slot": "材料",
    "each": "每份（次）分值", "cap": "封顶", "accept_also": "可替代材料", "on": "对象",
    # ability, compose, adjust, bands
    "rule": "办法", "levels": "等级", "pass_level": "合格等级", "sources": "评分来源与权重", "order": "计算次序",
    "clamp": "得分范围", "deductions": "扣分", "bonuses": "加分", "unless": "不扣情形", "events": "适用场合",
    "table": "加分依据", "may_cross_pass": "可以越过合格线", "boundary": "分界分归属", "rounding": "取整", "list": "等次表",
    "mode": "取整方式", "scale": "小数位数", "band_on": "定等依据", "modal": "效力", "self": "自评", "on_site": "现场评价",
    "students": "学生问卷", "parents": "家长问卷", "min_answers": "问卷最少份数",
    # calendar
    "lease": "一份互评任务", "lease_min": "临近截止时的互评任务", "peer_extension": "互评延长", "grace": "补做宽限",
    "correction": "补正", "arbitration": "仲裁", "notice": "扣分事实的申辩", "publicity": "公示", "sign": "签名",
    "appeal_window": "申诉受理", "appeal_decision": "申诉答复", "days": "日数", "working_days": "按工作日",
    "times": "次数",
    # result
    "signature": "教师签名", "unsigned_effective": "不签名仍有效", "appeal": "申诉", "allowed": "可以申诉",
    "reviewers_min": "复核最少人数", "outside_first_panel": "复核人不得为原评审人", "county_review": "可请县级复核",
    "fields": "公示内容",
    # programme
    "kind": "类型", "series": "系列", "makeup": "可以补课", "outputs": "产出", "output": "成果", "lead": "指导人",
    "weeks": "周数", "header": "原文表头学时", "source_note": "说明", "choose": "每主题选做题数", "own_topic": "可以自定选题",
    "workshop_covers_all": "本坊合力完成全部任务", "parts": "组成", "by": "承担", "graded_by": "评定单位",
    "combine": "合成办法", "chain": "审核次序", "peers": "其中的互评", "overdue": "逾期未审核时", "level": "层级", "share_of": "占比的基数", "min_one": "至少一个",
    "soft_max": "一般上限", "each_needs": "每项须有", "strict": "约束力", "role": "角色", "owner": "责任人", "begins": "开始",
    "ends": "结束", "tasks": "任务", "decide": "评定方式", "most": "最多名额", "consent": "须取得同意", "ledger": "学时账目",
    "issuers": "颁发单位", "unit": "单位", "to": "报送", "fee_yuan_per_hour": "每学时每人（元）", "payer": "承担方",
    "text_zh": "内容", "name_zh": "名称", "report_to": "报送单位", "strict_layout": "格式不得改动", "sections": "栏目",
    "long": "长文", "many": "可以多选", "options": "选项", "columns": "表头", "must_cover": "应当写到", "hint_zh": "提示",
    "default_zh": "默认内容", "after": "须先填写", "numbers": "须为数字",
    "tables": "表格", "after_fields": "表后栏目",
    # groups
    "leading": "领导小组", "school_focus": "学校考核重点", "elements": "考核要素", "improvements": "提升目标",
    "plan_unit": "制定计划的单位", "links": "教学环节", "awards": "奖项类别", "award_effects": "获奖成果的运用",
    "contests": "相关赛事", "providers": "培训机构遴选", "platform": "管理平台", "supervision": "督导", "classes": "组班",
    "single": "独立组班", "joint": "联片组班", "admin": "管理员", "same": "统一事项", "workshops": "工作坊设置",
    "integrity": "学习诚信", "layers": "推进层级", "modules": "研修模块", "sync": "同步要求", "told": "须登记的数",
}  # fmt: skip
"""Field → name; a dotted tail (`review.effort.min_seconds`) stands over its last word."""

TAILS: dict[str, str] = {
    "template.groups": "分列", "template.abilities": "须为目录中的微能力", "template.required": "必填",
    "calendar.peer": "互评", "calendar.panel": "考核组评审", "calendar.validity": "证据有效性认定", "groups.mode": "应用模式",
    "effort.min_seconds": "最短用时（秒）", "calendar.grace": "逾期宽限", "finance.hours": "学时数", "scoring.of": "满分对应",
    "scoring.grace": "可补期数", "tests.parts": "测评组成", "sources.panel": "考核组评分", "sources.peer": "互评",
    "targets.by": "完成期限", "tasks.by": "期限", "pipeline.by": "推荐人", "gates.when": "适用环节",
    "prerequisites.when": "适用环节", "reports.when": "报送时间", "quotas.level": "范围", "signature.required": "必须签名",
    "calendar.hours": "小时数", "deductions.id": "扣分", "ledgers.of": "占比按", "on_fail.grade": "等次定为",
}  # fmt: skip

WORDS: dict[str, str] = {
    ">=": "不少于", "<=": "不超过", ">": "多于", "<": "少于", "==": "等于", "median": "中位数", "mean": "平均数", "trimmed": "去掉最高分和最低分后的平均数", "reliability": "按评阅人可靠度加权",
    "calibration": "以样例评审补足", "none": "不再补足", "avoid": "尽量避开", "forbid": "不得分配", "arbiter": "提请仲裁人评定",
    "flag": "予以标注", "required": "应修学时", "earned": "已修学时", "school_list": "学校公布的清单", "catalogue": "微能力目录",
    "submission": "整项能力的成果", "item": "单份证据", "no_teacher_image": "未出现教师本人形象",
    "authorship_undetermined": "无法认定为本人所作", "official_conjunctive": "各项证据中最弱的一项决定等级，缺一项为不合格",
    "average": "按该项能力的平均得分所在等次", "weighted_mean": "加权平均", "sum_points": "各项目得分相加",
    "weighted_components": "各项目得分按权重相加", "compose": "合成", "deduct": "扣分", "bonus": "加分", "clamp": "截断到得分范围",
    "half_up": "四舍五入", "half_even": "四舍六入五成双", "down": "舍去尾数", "rounded": "取整后的得分", "raw": "未取整的得分",
    "lower_inclusive": "归较高等次", "upper_inclusive": "归较低等次", "may": "可评为", "shall": "应评为", "all": "全部",
    "any": "不限", "others": "他人的成果", "must": "应", "in_principle": "原则上应", "suggested": "建议", "named": "推荐",
    "vote": "投票", "mark": "评分", "author": "作者本人同意", "publication": "作者本人同意公开发表", "video": "视频",
    "photo": "照片", "document": "文档", "name": "姓名", "grade": "等次", "score": "得分", "abilities": "微能力项目",
    "self_test": "校本自测", "peer_review": "同伴互评", "school_appraisal": "学校考核", "reason": "写明理由",
    "approver": "经批准", "new_version": "形成新版本", "may_exempt": "可以免予参加", "exempt": "免予参加",
    "approved_leave": "已批准的请假", "effective_from": "方案生效之日", "class": "班级", "county": "县级", "city": "市级",
    "province": "省级", "project": "项目级", "workshop": "工作坊", "school": "学校", "members": "坊内人数", "given": "视为通过", "missing": "按未审核处理",
    "teachers": "教师人数", "groups": "教研组数", "select": "选定微能力", "submit": "提交成果", "review": "评审",
    "final": "评定等次", "total": "总学时", "completion": "完成即可", "sum": "各分项得分之和", "checklist": "逐条勾选",
    "rubric": "按量规评级，最弱的一份决定", "external": "由外部评分", "peer": "互评", "panel": "考核组评分", "self": "自评",
    "on_site": "现场评价", "students": "学生问卷", "parents": "家长问卷", "offline": "线下活动", "points": "个百分点",
    "count": "", "year_end_points": "年终考核加分", "credits": "校本研修学分", "note": "其他", "": "",
    "bulletin": "简报", "work_plan": "工作计划书", "offline_activity": "线下活动", "excellent_work": "优秀作品",
    "excellent_video": "优秀视频作品", "recommended_learner": "推荐的优秀学员", "leader_resource": "坊主推送的资源",
    "polished_work": "打磨成果", "skill_shown": "展示人数", "lesson_entered": "参赛人数", "group_plan": "有计划的教研组",
    "body": "机构", "term_lesson": "研讨课、展示课", "school_plan": "规划与计划", "class_members": "班级人数",
    "school_workshops": "工作坊数", "plan_and_summary": "计划与总结", "lesson_video": "示范课录像", "photos": "场景照片",
    "cpd_hours": "继续教育学时", "honours": "名优骨干教师认定", "promotion": "评职晋级", "titles": "职称评聘",
    "best_learner_condition": "优秀学员评选条件", "completion_affected": "影响结业", "evaluation_plan": "考评方案",
    "research": "教研活动", "theme": "研修主题", "outside_training_condition": "外出培训条件", "award_priority": "评优优先", "rewards": "考核奖励", "licence_renewal": "教师资格定期注册", "school_rating": "学校办学水平评估",
}  # fmt: skip
"""What a fixed word of the language, or an id every scheme uses alike, is called."""


def field_name(path: str) -> str:
    """Return what the last field of a path without item ids is called; its own word where nobody named it."""
    parts = path.split(".")
    tails = (".".join(parts[start:]) for start in range(len(parts) - 1))
    return next((TAILS[tail] for tail in tails if tail in TAILS), FIELDS.get(parts[-1], parts[-1]))


def item_name(item: Any, key: str) -> str:
    """Return what a list item is called: its Chinese name, its sentence, or its key."""
    if isinstance(item, Mapping):
        return str(item.get("name_zh") or item.get("text_zh") or item.get("title_zh") or key)
    return key


def path_names(document: Mapping[str, Any], path: str) -> tuple[list[str], str]:
    """Return the Chinese names of the parts of a path (items of lists by their own), and the path without items."""
    names: list[str] = []
    fields: list[str] = []
    node: Any = document
    for part in path.split("."):
        if isinstance(node, list | tuple):
            node = next((item for at, item in enumerate(node) if key_of(item, at) == part), None)
            inner = item_name(node, part).replace("“", "‘").replace("”", "’")
            names.append(f"“{inner}”")
        else:
            node = node.get(part) if isinstance(node, Mapping) else None
            fields.append(part)
            names.append(field_name(".".join(fields)))
    return names, ".".join(fields)


def shown_value(value: object) -> str:
    """Return a plain value in Chinese: 是/否, the name of a word of the language, a list joined."""
    if isinstance(value, bool):
        return "是" if value else "否"
    if value is None:
        return "无"
    if isinstance(value, list | tuple):
        return "、".join(map(shown_value, value)) or "无"
    if isinstance(value, Mapping):
        own = [
            f"{FIELDS.get(key, WORDS.get(key, key))}：{shown_value(inner)}"
            for key, inner in value.items()
            if key != "id"
        ]
        return "；".join(own) or "无"
    return WORDS.get(str(value), str(value)) if value != "" else "无"
