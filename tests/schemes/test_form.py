import io
import json
import re

import pytest
from docx import Document
from typer.testing import CliRunner

from review_flow import schemes
from review_flow.cli.template import app
from review_flow.schemes.document import read_page
from review_flow.schemes.form import NoTemplate, blank, check_form

REGION = "region-template"
TEAM = {"姓名": "王芳", "年龄": 41, "学历": "本科", "专业": "数学", "职务": "教导主任"}
FILLED = {
    "basic": {
        "school": "东关小学", "stages": ["小学"], "head": "李强", "contact": "赵敏", "phone": "0999-1234567",
        "team": {"管理团队": [TEAM], "骨干团队": [{**TEAM, "姓名": "陈静", "年龄": "35"}]},
    },
    "goals": {"base": "每个教师完成50学时的培训，其中实践学时不少于50%", "pupils": "会用平台复习\n会互评"},
    "content": {
        "theme": "多媒体环境下的数据分析",
        "abilities": [
            {"微能力名称": "技术支持的学情分析", "选择理由": "备课先知学情"},
            {"微能力名称": "技术支持的课堂导入", "选择理由": "常用"},
            {"微能力名称": "评价量规设计与应用", "选择理由": "评价及时"},
        ],
        "form": "异步在线课程+线下课堂实践",
    },
    "schedule": {"schedule": [{"时间": "9月", "内容": "启动", "负责人": "李强"}]},
    "appraisal": {"appraisal": "研修活动参与、研修成果产出、考核微能力数量、测评通过率"},
    "mechanism": {"mechanism": "每月例会"},
}  # fmt: skip

ALIKE = ("数字教育资源获取与评价", "演示文稿设计与制作", "数字教育资源管理")


def changed(**parts):
    return {**FILLED, **{key: {**FILLED[key], **value} for key, value in parts.items()}}


def problems(data):
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False, indent=1)
    return [(one.field, one.text) for one in check_form(schemes.load(REGION), text, source="f.yaml")[1]]


def run(*words):
    done = CliRunner().invoke(app, [str(word) for word in words])
    return done.exit_code, done.output


def test_a_filled_form_has_no_problem():
    assert problems(FILLED) == []


def test_the_empty_form_asks_for_every_field_by_name_and_in_order():
    text = blank(schemes.load(REGION))
    template = schemes.load(REGION).template
    names = [
        one.name_zh
        for section in template.sections
        for one in (section, *section.fields, *section.tables, *section.after_fields)
    ]
    places = [text.index(f"# {name}") for name in names if name not in {"考核要求", "机制设计"}]
    assert places == sorted(places)
    assert list(read_page(text, source="f").data) == [section.id for section in template.sections]
    told = {field for field, _text in problems(text)}
    assert told == {
        "basic.school", "basic.stages", "basic.head", "basic.contact", "basic.phone",
        *(f"basic.team.{group}.0.{column}" for group in ("管理团队", "骨干团队") for column in TEAM),
        "goals.base", "content.theme", "content.abilities", "content.abilities.0.微能力名称",
        "content.abilities.0.选择理由", "schedule.schedule.0.时间", "schedule.schedule.0.内容",
        "schedule.schedule.0.负责人", "appraisal.appraisal", "mechanism.mechanism",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (changed(basic={"school": " "}), [("basic.school", "“学校名称”没有填写。")]),
        (changed(basic={"stages": ["幼儿园"]}), [("basic.stages", "“所涉学段”只能填小学、初中、高中，不能填幼儿园。")]),
        (changed(basic={"head": ["李", "王"]}), [("basic.head", "“学校负责人”应是一段文字。")]),
        (changed(basic={"team": [TEAM]}), [("basic.team", "“学校信息化管理团队”应分列：管理团队、骨干团队。")]),
        (changed(basic={"team": {"管理团队": [TEAM]}}), [("basic.team.骨干团队", "“骨干团队”至少要有一行。")]),
        (
            changed(basic={"team": {"管理团队": [{**TEAM, "年龄": "四十"}], "骨干团队": [TEAM]}}),
            [("basic.team.管理团队.0.年龄", "第1行的“年龄”应是整数。")],
        ),
        (
            changed(basic={"team": {"管理团队": [{**TEAM, "姓名": {}}], "骨干团队": ["王芳"]}}),
            [
                ("basic.team.管理团队.0.姓名", "第1行的“姓名”没有填写。"),
                ("basic.team.骨干团队.0", "第1行应有：姓名、年龄、学历、专业、职务。"),
            ],
        ),
        (
            changed(schedule={"schedule": [{"时间": ["9月"], "内容": "启动", "负责人": "李强"}]}),
            [("schedule.schedule.0.时间", "“时间”应是一段文字。")],
        ),
        (
            changed(content={"theme": ""}),
            [
                ("content.theme", "“研修主题”没有填写。"),
                ("content.abilities", "请先填写“研修主题”，再填“能力点范畴及选择理由”。"),
            ],
        ),
        (
            changed(content={"abilities": [*FILLED["content"]["abilities"][:2], {"微能力名称": "评价量规设计与应用", "选择理由": ""}]}),
            [("content.abilities.2.选择理由", "第3行的“选择理由”没有填写。")],
        ),
        (
            changed(content={"abilities": [*FILLED["content"]["abilities"], {"微能力名称": "会飞", "选择理由": "好"}]}),
            [("content.abilities.3.微能力名称", "《中小学教师信息技术应用能力30项微能力》里没有微能力“会飞”。")],
        ),
        (
            changed(content={"abilities": [*FILLED["content"]["abilities"], {"微能力名称": "技术支持的学情分析", "选择理由": "好"}]}),
            [("content.abilities.3.微能力名称", "“技术支持的学情分析”写了两次。")],
        ),
        (
            changed(content={"abilities": FILLED["content"]["abilities"][:2]}),
            [("content.abilities", "至少选3项微能力，现有2项。")],
        ),
        (
            changed(content={"abilities": [{"微能力名称": name, "选择理由": "好"} for name in ALIKE]}),
            [("content.abilities", "所选微能力至少覆盖3个维度，现有1个。")],
        ),
        (
            changed(appraisal={"appraisal": "研修活动参与、测评通过率"}),
            [("appraisal.appraisal", "“考核要求”还应写到：研修成果产出、考核微能力数量。")],
        ),
        (changed(goals={"more": "x"}), [("goals.more", "模板里没有“more”，格式不得改动。")]),
        (
            {key: value for key, value in FILLED.items() if key != "mechanism"},
            [("mechanism", "缺少“机制设计”一节。")],
        ),
        ("a: [", [("", "不是正确的 YAML：expected the node content, but found '<stream end>'")]),
    ],
)  # fmt: skip
def test_every_problem_is_told(data, told):
    assert problems(data) == told


def test_exactly_so_many(tmp_path):
    path = tmp_path / "eight.yaml"
    path.write_text(
        'schema: kaohe/1\nid: eight\ntitle_zh: 八项\ninherits: {"*": region-template}\n'
        "select: {school: {exactly: 8, min: 3, min_dimensions: 3}}\nsources: {select.school: 001-C-02}\n",
        encoding="utf-8",
    )
    found = check_form(schemes.load(path), json.dumps(FILLED), source="f")[1]
    assert [one.text for one in found] == ["应选8项微能力，现有3项。"]


def test_a_problem_is_told_at_its_line():
    text = json.dumps(changed(mechanism={"mechanism": ""}), ensure_ascii=False, indent=1)
    [mistake] = check_form(schemes.load(REGION), text, source="f")[1]
    assert '"mechanism": ""' in text.splitlines()[mistake.line - 1]


def test_a_scheme_without_a_template_says_so():
    with pytest.raises(NoTemplate):
        blank(schemes.load("fuqing-30"))
    assert run("new", "fuqing-30", "x.yaml") == (2, "方案“fuqing-30”没有上报模板。\n")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_docx_has_the_prescribed_headings_tables_and_order(tmp_path):
    form, out = tmp_path / "form.json", tmp_path / "form.docx"
    form.write_text(json.dumps(FILLED, ensure_ascii=False), encoding="utf-8")
    assert run("export", REGION, form, "--to", "docx", "--out", out) == (0, f"已写入 {out}\n")
    read = Document(io.BytesIO(out.read_bytes()))
    assert [(one.style.name, one.text) for one in read.paragraphs if re.match("Title|Heading", one.style.name)] == [
        ("Title", "校本研修活动方案"),
        ("Heading 1", "一、基本信息"),
        ("Heading 2", "学校信息化管理团队"),
        ("Heading 1", "二、校本研修绩效目标"),
        ("Heading 2", "基本目标"),
        ("Heading 2", "面向教师"),
        ("Heading 2", "面向学生"),
        ("Heading 2", "面向学校"),
        ("Heading 1", "三、校本研修内容"),
        ("Heading 2", "研修主题"),
        ("Heading 2", "能力点范畴及选择理由"),
        ("Heading 1", "四、校本研修安排"),
        ("Heading 2", "研修安排"),
        ("Heading 1", "五、考核要求"),
        ("Heading 1", "六、机制设计"),
    ]
    assert [[[cell.text for cell in row.cells] for row in table.rows] for table in read.tables] == [
        [["姓名", "年龄", "学历", "专业", "职务"], ["王芳", "41", "本科", "数学", "教导主任"]],
        [["姓名", "年龄", "学历", "专业", "职务"], ["陈静", "35", "本科", "数学", "教导主任"]],
        [
            ["微能力名称", "选择理由"],
            ["技术支持的学情分析", "备课先知学情"],
            ["技术支持的课堂导入", "常用"],
            ["评价量规设计与应用", "评价及时"],
        ],
        [["时间", "内容", "负责人"], ["9月", "启动", "李强"]],
    ]
    assert [one.text for one in read.paragraphs if one.style.name == "Normal" and one.text] == [
        "学校名称：东关小学", "所涉学段：小学", "学校负责人：李强", "项目联络人：赵敏", "联系电话：0999-1234567",
        "管理团队", "骨干团队", "每个教师完成50学时的培训，其中实践学时不少于50%", "无", "会用平台复习", "会互评", "无",
        "多媒体环境下的数据分析", "研修形式：异步在线课程+线下课堂实践",
        "研修活动参与、研修成果产出、考核微能力数量、测评通过率", "每月例会",
    ]  # fmt: skip


def test_the_commands(tmp_path):
    form, out = tmp_path / "form.yaml", tmp_path / "form.docx"
    assert run("new", REGION, form) == (0, f"已写入 {form}\n")
    status, text = run("check", REGION, form)
    assert (status, text.splitlines()[-1]) == (1, "26处问题。")
    assert run("export", REGION, form, "--out", out)[0] == 1
    assert not out.exists()
    form.write_text(json.dumps(FILLED), encoding="utf-8")
    assert run("check", REGION, form) == (0, "0处问题。\n")
    assert json.loads(run("check", REGION, form, "--json")[1]) == {"ok": True, "problems": []}
    assert run("export", REGION, form, "--to", "pdf", "--out", out)[0] == 2
    assert run("check", "fuqing-30", form)[0] == 2
    assert run("new", REGION, tmp_path / "no" / "form.yaml")[0] == 2
