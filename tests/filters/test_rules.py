"""Golden cases: every junk rule on both sides of its threshold, in simplified and traditional script."""

from __future__ import annotations

import json

import pytest
from opencc import OpenCC

from cmtp.errors import UsageError
from cmtp.filters.book import open_book
from cmtp.filters.rules import RULES
from cmtp.filters.settings import FilterSettings
from cmtp.filters.stage import FilterStage
from cmtp.recipe import Recipe
from cmtp.settings_file import load_settings
from tests.filters.helpers import fired, judged, reason

PROSE = "杭州西湖位于浙江省杭州市西部，湖面开阔，三面环山，春天的苏堤两岸桃红柳绿，游人很多，是著名的风景名胜。"
TRADITIONAL = "臺北一〇一大樓位於信義區，是臺灣的地標，登上觀景臺可以俯瞰整個盆地，天氣好的時候能看到遠處的海。"
ENGLISH = (
    "The quick brown fox jumps over the lazy dog, and it was the best of the times that we have ever seen in our lives."
)
JAPANESE = "これはとてもおもしろい本ですから、ぜひ読んでみてください。"
KOREAN = "이것은 한국어로 쓰인 문장입니다. 오늘 날씨가 매우 좋습니다."
RUSSIAN = "Это предложение написано на русском языке и ничего не говорит."

# rule, a passage that breaks it, one that does not
PASSAGES = [
    ("mojibake.replaced", "西湖\ufffd\ufffd\ufffd\ufffd杭州\ufffd\ufffd\ufffd市西\ufffd部", PROSE + "\ufffd"),
    ("mojibake.latin1", PROSE.encode().decode("latin-1"), "Les élèves préfèrent le café à Genève：" + PROSE),
    ("mojibake.gbk", PROSE.encode().decode("gbk", errors="ignore"), "浠水縣的鍾離先生與涓涓細流，銀杏樹下鏗鏘有聲。"),
    ("mojibake.phrase", "锟斤拷锟斤拷锟斤拷锟斤拷西湖烫烫烫烫", "乱码“锟斤拷”是这样来的：" + PROSE * 2),
    ("language.foreign", ENGLISH, f"{PROSE}The quick brown fox，即“敏捷的棕色狐狸”，是一句英文。"),
    ("language.kana", JAPANESE, "日语的“おはよう”意思是早上好，常用于" + PROSE),
    ("language.hangul", KOREAN, "韩语的“안녕하세요”意思是你好，" + PROSE),
    ("language.script", RUSSIAN, "俄语的“Спасибо”意思是谢谢，" + PROSE),
    ("template", "尊敬的{{name}}，您的订单{{order}}已发货。", "在模板里写 `{{ name }}`，渲染时换成变量的值。" + PROSE),
    ("empty_answer", "谢谢！谢谢分享~", "谢谢这个词在上海话里说成谢谢侬。"),
    ("empty_answer", "詳見附件。", "附件中列出了各縣市的人口數字。"),
    ("navigation", "首页 上一篇 下一篇 联系我们 版权所有 ICP备12345678号", PROSE + "上一篇 下一篇"),
    ("markup.tags", '<div class="a"><a href="/b">西湖</a><br/>&nbsp;<img src="c.png"></div>', PROSE + "<br/><b>注</b>"),
    ("markup.debris", "$(function(){document.write('a');var _hmt=[];window.location='/';margin:0;padding:0})", PROSE),
    ("spaced_out", "石 桥 每 隔 五 年 检 修 一 次 ， 先 清 除 杂 草 。", "春 夏 秋 冬 四季的花：" + PROSE),
    ("error_page", "您访问的页面不存在或者已经被移走，请检查网址的拼写，或者返回网站的首页。",
     PROSE + "如果这个页面不存在，可以在历史记录里找。"),
    ("keyword_stuffing", "北京装修,北京装修公司,北京家装,北京装修报价,北京别墅装修,北京旧房装修,北京装修网,北京装修队",
     PROSE),
    ("spun_text", "杭州西湖的历史沿革？想知道杭州西湖的历史沿革，先问杭州西湖的历史沿革好，再看杭州西湖的历史沿革排行，"
     "杭州西湖的历史沿革呢？", PROSE + "杭州西湖的历史沿革呢，说到杭州西湖的历史沿革，书很多。"),
    ("repetition.lines", "今天是个好日子\n" * 8, "今天是个好日子\n明天也是好日子\n" + PROSE + "\n今天是个好日子"),
    ("repetition.ngrams", "我们的产品质量最好价格最低。" * 8, PROSE + "我们的产品质量最好价格最低。" * 2),
    ("repetition.pair", "哈哈" * 20, PROSE + "哈哈"),
    ("repetition.run", "好" * 30, "好" * 8 + "，" + PROSE),
    ("symbols", "★☆★☆◆◇※→←↑↓【】《》~~~~西湖", "《西湖》（一）：【景】“苏堤”……" + PROSE),
    ("digits", "1024 2048 4096 8192 16384 32768 65536 元 " * 3, "3.14159265358979323846是圆周率的前二十位，" + PROSE),
    ("too_short.passage", "西湖。", "白日依山盡。"),
    ("too_long.passage", "西湖的水很清。" * 3000, PROSE),
]  # fmt: skip

QUERIES = [
    ("boilerplate_title", "首页", "首页推荐算法"),
    ("boilerplate_title", "404 Not Found！", "什么是404错误"),
    ("boilerplate_title", "無標題", "李商隱的無題詩"),
    ("address", "http://www.qinghe.invalid/news/1207.html", "怎样打开 http://www.qinghe.invalid/news"),
    ("symbols.query", "★☆★☆◆◇※→←↑↓", "[1] + [2] - [3] === 9 的原因"),
    ("digits.query", "20150118.001", "2015年1月18日"),
    ("too_short.query", "……", "簫"),
    ("too_long.query", "西湖" * 160, "西湖" * 100),
]


SCRIPTS = {"as written": str, "traditional": OpenCC("s2t").convert, "simplified": OpenCC("t2s").convert}
CASES = [("杭州西湖的历史沿革", *case) for case in PASSAGES] + [(None, *case) for case in QUERIES]


def pairs(query: str | None, text: str, script: str) -> tuple[str, str]:
    """Query and passage of a case in a script; the text is the query where none is given."""
    convert = SCRIPTS[script]
    return (convert(query), convert(text)) if query else (convert(text), convert(PROSE))


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize(("query", "rule", "bad", "good"), [case for case in CASES if case[1] != "mojibake.gbk"])
def test_every_rule_on_both_sides_in_both_scripts(query, rule, bad, good, script):
    assert rule in fired(*pairs(query, bad, script), malicious=False)
    assert fired(*pairs(query, good, script), malicious=False) == []


@pytest.mark.parametrize("text", [PROSE, TRADITIONAL])
@pytest.mark.parametrize("wrong", ["gbk", "latin-1"])
def test_text_of_both_scripts_in_a_wrong_encoding(text, wrong):
    assert f"mojibake.{wrong.replace('-', '')}" in fired("杭州的西湖", text.encode().decode(wrong, errors="ignore"))


def test_mojibake_of_gbk_and_characters_that_look_like_it():
    assert fired("鍾離", "浠水縣的鍾離先生與涓涓細流，銀杏樹下鏗鏘有聲。") == []


@pytest.mark.parametrize(("query", "rule", "bad", "good"), CASES)
def test_every_rule_turns_at_its_threshold(query, rule, bad, good):
    pair = pairs(query, bad, "as written")
    value = next(
        i["value"] for i in json.loads(judged(pair, malicious=False).evidence[0])["rules"] if i["rule"] == rule
    )
    step = -0.001 if rule.startswith(("too_short", "language.none")) else 0.001
    assert rule not in fired(*pair, thresholds={rule: value + step}, malicious=False)
    assert rule in fired(*pair, thresholds={rule: value - step}, malicious=False)


def test_every_rule_has_a_golden_case():
    here = {rule for rule, *_ in [*PASSAGES, *QUERIES]}
    elsewhere = {"language.none", "too_short.advice", "refusal", "digits.answer"}
    assert {rule.name for rule in RULES} == here | elsewhere


@pytest.mark.parametrize(
    "text", [PROSE, TRADITIONAL, "白日依山盡，黃河入海流。\n欲窮千里目，更上一層樓。", "学而时习之，不亦说乎？"]
)
def test_chinese_of_every_kind_is_kept(text):
    assert fired("詩文", text) == []


def test_technical_text_with_code_is_chinese():
    code = "安装后运行：\n```\nfor the of and to that you we are in range(10):\n    print('the')\n```\n"
    assert fired("如何安装", code + "sudo apt-get install nginx") == []
    assert fired("在 Ubuntu 上安装 gThumb", "sudo apt-get install gthumb", "subtitle_passage") == []


def test_a_pair_without_any_chinese_is_another_language():
    assert fired("Nginx", "sudo apt-get install nginx") == ["language.none"]
    assert reason("Nginx", "sudo apt-get install nginx", language="any") is None
    assert reason("A fox", ENGLISH, language="any") is None


def test_short_answers_are_fine_and_short_advice_is_not():
    assert reason("元朝哪位皇帝恢复科举？", "元仁宗", "question_answer") is None
    assert reason("百濟在660年被哪國滅？", "唐", "question_answer") is None
    assert fired("领导让我背锅怎么办？", "认了吧", "question_answer") == ["too_short.advice"]
    assert reason("领导让我背锅怎么办？", "把事情经过写清楚，发邮件确认。", "question_answer") is None


def test_the_relation_sets_the_limit():
    assert fired("西湖", "杭州市西部的湖泊。", "title_abstract") == ["too_short.passage"]
    assert fired("西湖", "杭州市西部的湖泊。", "title_body") == []
    assert fired("前五个二的幂", "2, 4, 8, 16, 32, 64, 128, 256, 512, 1024", "question_answer") == []
    assert fired("首页", PROSE, "question_passage") == ["too_short.query"]


def test_code_and_markup_that_was_asked_for_is_an_answer():
    table = "<table>" + "<tr><th>第一栏</th><th>第二栏</th><th>第三栏</th></tr>" * 9 + "</table>"
    assert fired("生成一个三栏九行的 HTML 表格", table, "question_answer") == []
    assert fired("生成一个三栏九行的表格", table, "question_answer") != []
    code = "def area(r):\n    # the area of a circle that has the radius r\n    return 3.14 * r ** 2  # it is (r * r)"
    assert fired("编写一个 Python 函数来计算圆的面积", code, "question_answer") == []
    assert fired("编写一个 Python 函数来计算圆的面积", ENGLISH, "question_answer") == ["language.foreign"]


def test_a_proverb_ends_and_a_heading_does_not():
    assert fired("桂管童謠", "揚一益二。") == []
    assert fired("第三章", "一般规定") == ["too_short.passage"]


def test_listings_of_a_database_and_of_events_are_text():
    listing = "mysql> describe users;\n" + "+--------+-------+------+\n| uid | char | NO |\n" * 2 + "+--------+-------+"
    assert fired("如何获取表内所有字段？", "答案：运行命令 describe users;\n" + listing, "subtitle_passage") == []
    events = "事件 A、事件 B、事件 C、事件 D\n\n时间顺序：事件 A、事件 B、事件 C、事件 D"
    assert fired("按时间顺序重新排序。", events, "question_answer") == []
    assert fired("按时间顺序重新排序。", events, "title_body") == ["repetition.pair"]


def test_advice_is_asked_for_in_both_scripts():
    assert fired("領導讓我背鍋怎麼辦？", "認了吧", "question_answer") == ["too_short.advice"]
    assert fired("牙齦出血如何治療？", "去掛號", "question_answer") == ["too_short.advice"]
    assert fired("牙齦出血如何治療？", "先到牙科洗牙。", "question_answer") == []


def test_evidence_names_value_limit_and_strings():
    verdicts = judged(("杭州", "首页 上一篇 下一篇 版权所有 谢谢"), ("首页", "谢谢"))
    first, second = (json.loads(verdicts.evidence[row])["rules"] for row in (0, 1))
    assert first[0]["rule"] == "navigation"
    assert first[0]["value"] > first[0]["limit"] == 0.2
    assert {"首页", "上一篇", "下一篇", "版权所有"} == set(first[0]["found"])
    assert [item["rule"] for item in second] == ["boilerplate_title", "empty_answer", "too_short.passage"]
    assert verdicts.reason[1] == "boilerplate_title"


def test_thresholds_by_rule_relation_and_source():
    text = "西湖很美"
    assert reason("湖", text) == "too_short"
    assert reason("湖", text, thresholds={"too_short.passage": 3}) is None
    assert reason("湖", text, thresholds={"too_short.passage@title_body": 3}) is None
    assert reason("湖", text, thresholds={"too_short.passage@question_answer": 3}) == "too_short"
    assert (
        reason("湖", text, thresholds={"too_short.passage@title_body": 3, "too_short.passage@forum": 9}) == "too_short"
    )
    assert reason("湖", "谢谢", thresholds={"empty_answer": 1, "too_short.passage": 1}) is None


def test_a_threshold_is_set_by_its_dotted_name():
    overrides = ["filter.thresholds.too_short.passage=3", "filter.thresholds.symbols@question_answer=0.9"]
    settings = load_settings(Recipe, overrides=overrides).of(FilterSettings)
    assert settings.thresholds == {"too_short.passage": 3, "symbols@question_answer": 0.9}
    assert reason("湖", "西湖很美", thresholds=settings.thresholds) is None
    wrong = load_settings(Recipe, overrides=["filter.thresholds.too_short.pasage=3"])
    with pytest.raises(UsageError, match=r"no rule 'too_short\.pasage'; did you mean too_short\.passage"):
        FilterStage().check(wrong)


def test_rules_are_switched_off_singly_and_by_reason():
    repeated = "我们的产品质量最好价格最低。" * 8
    assert fired("湖", repeated) == ["repetition.ngrams"]
    assert fired("湖", repeated, disable=["repetition.ngrams"]) == []
    assert fired("湖", repeated, disable=["repetition"]) == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"disable": ["too_shrot"]}, "no rule 'too_shrot'"),
        ({"thresholds": {"nonsense": 1}}, "no rule 'nonsense'"),
        ({"thresholds": {"repetition": 1}}, "name one: repetition.lines"),
        ({"thresholds": {"private_data": 1}}, "no rule 'private_data'"),
        ({"lexicons": {"politics": {"词": 1}}}, "no list 'politics'"),
    ],
)
def test_unknown_names_are_refused(settings, said):
    with pytest.raises(UsageError, match=said):
        open_book(FilterSettings(**settings))


def kept(*cases: tuple[str, str] | tuple[str, str, str]) -> None:
    assert [(case, fired(*case, malicious=False)) for case in cases if fired(*case, malicious=False)] == []


def gone(rule: str, *cases: tuple[str, str] | tuple[str, str, str]) -> None:
    assert [case for case in cases if rule not in fired(*case, malicious=False)] == []


def test_a_reference_page_names_its_subject():
    reload = "RELOAD GRANTS 语句让数据库重新读取权限表。直接修改权限表之后应当执行 RELOAD GRANTS。"
    latency = (
        "NODE_LATENCY 表记录延迟。查询 NODE_LATENCY 要带上时间范围。NODE_LATENCY 每分钟刷新，NODE_LATENCY 会清空。"
    )
    collation = "CHARACTER_SET_APPLICABILITY 表将规则映射至字符集。" + "SELECT * FROM CHARACTER_SET_APPLICABILITY; " * 3
    variables = "用户自定义变量以 @ 开头。用户自定义变量不区分大小写。读取用户自定义变量时不加引号。" + PROSE * 2
    kept(
        ("RELOAD GRANTS", reload * 2),
        ("NODE_LATENCY", latency),
        ("CHARACTER_SET_APPLICABILITY", collation),
        ("用户自定义变量", variables + "用户自定义变量"),
    )


def test_parallel_rows_of_identifiers_are_no_repetition():
    routes = "".join(f"shard_mysql_{n}.tb_emp{n} 将被路由到 target_mysql.tb_emp{n}\n" for n in range(9))
    packages = "".join(
        f"{name}-{{version}}-linux-amd64.tar.gz\n" for name in ("ctl", "dump", "cdc", "lightning", "br", "pump")
    )
    session = "USE one;\nQuery OK, 0 rows affected (0.00 sec)\nSELECT 1;\nQuery OK, 0 rows affected (0.00 sec)\n"
    metrics = "".join(
        f"{w} log duration：Raft {w} 日志所花费的时间\n每个实例上 Raft {w} 日志的时间\n" for w in ("Apply", "Append")
    )
    kept(
        ("路由规则", routes),
        ("软件包", packages),
        ("示例", session + "说明：两次返回相同的结果。"),
        ("监控指标", metrics),
    )


def test_repeated_sentences_are_repetition_in_either_script():
    gone(
        "repetition.ngrams",
        ("公告", "欢迎光临本店，全场商品一律八折优惠。" * 9),
        ("公告", "歡迎光臨本店，全場商品一律八折優惠。" * 9),
    )
    gone("repetition.lines", ("歌", "我们都有一个家\n" * 8), ("列表", "buy the best watch here 点击\n" * 10))


def test_lost_characters_of_a_poem_are_no_repetition():
    kept(
        (
            "州民自言",
            "雨霜以成歲，看舊感前聞。愛景隨朝日，凝陰積暮雲。\n囗囗囗囗囗，忘言酒暫醺。囗囗囗囗囗，囗囗囗囗囗。",
        )
    )


def test_a_log_without_a_word_answers_nothing():
    log = "".join(f"{1000 + i} 77{30 + i} 20200417 083012 1142 65535 2048\n" for i in range(8))
    gone("digits.answer", ("日志是什么意思", log, "question_answer"))
    kept(("日志是什么意思", log + "每行是一次读数：编号、设备、日期、时间、温度、状态。", "question_answer"))


def test_a_phrase_over_and_over_answers_nothing():
    answer = (
        "顶一下顶一下顶一下顶一下顶一下，帮顶帮顶帮顶帮顶帮顶帮顶，路过路过路过路过路过路过路过，支持支持支持支持支持支持支持支持，"
        "哈哈哈哈哈哈哈哈哈哈哈哈哈哈哈哈哈哈哈哈，顶一下顶一下顶一下顶一下顶一下顶一下顶一下"
    )
    gone("repetition.ngrams", ("大家都还在吗", answer, "question_answer"))


def test_numbers_that_answer_are_no_rows_of_digits():
    kept(
        (
            "小数相加",
            "0.1+0.2 = 0.30000000000000004\n0.7+0.1 = 0.7999999999999999\n1.1+2.2 = 3.3000000000000003\n"
            "原因是二进制表示不了这些小数。",
        ),
        ("阻止恶意网站的 DNS 服务器", "199.85.126.10\n199.85.127.10"),
        ("缓存容量", "示例值：858993459200 (800 GiB)"),
        ("5.4 版本的发布历史", "5.4.3: 2022-10-13\n5.4.2: 2022-07-08\n5.4.1: 2022-05-13"),
        ("音符与频率", "音符 八度三 八度四\n" + "".join(f"{n} {i} {i * 2}\n" for i, n in enumerate("CDEFGAB", 131))),
        ("列出偶数", " ".join(map(str, range(2, 90, 2))), "question_answer"),
    )
    gone("digits", ("数据", " ".join(map(str, range(2, 90, 2)))), ("走势", "2024-01-01 3,120 2,980\n" * 12))


def test_drawings_and_symbols_that_were_asked_for_are_no_ornaments():
    grid = "用下面的网格引导机器人。\n╔═══╦═══╗\n║ X ║   ║\n╠═══╬═══╣\n║   ║ Y ║\n╚═══╩═══╝"
    line = "+--------+----------------+------+"
    table = f"{line}\n| 用户 | 地址 | 数 |\n| root | 10.0.0.5:4000 | 12 |\n| 报表用户 | 10.0.0.6:4000 | 3 |\n{line}"
    kept(
        (grid, "先向右一格，再向下一格。", "question_answer"),
        ("把“我喜欢”写成摩尔斯电码", ".. .-.. --- ...- . -.-. .-.. --- ...-", "question_answer"),
        ("会话列表", table),
        ("距离公式", "√((x₂-x₁)²+(y₂-y₁)²+(z₂-z₁)²)"),
    )
    gone("symbols", ("公告", "★☆◆◇※→←↑↓【】《》〖〗♥♡西湖"), ("分割", "=*=*=*=*=*=*=*=*=*=*=*=*="))


def test_text_about_placeholders_is_no_form():
    kept(
        ("通知模板里的变量", "{{TableName}} 和 {{OldValue}} 分别是表名和修改前的值。{{NewValue}}"),
        ("Avro 数据格式", "{{TableName}} 是表的名称。{{Namespace}} 是命名空间。{{Value}}"),
        ("编码函数", "非 ASCII 字符转换为 \\xxxx 格式，其中 xxxx 表示代码单元。"),
    )
    gone(
        "template",
        ("邀请函", "尊敬的{{name}}，您的订单{{order}}已发货。"),
        ("合同", "甲方名称：____，地址：____，××公司"),
    )


def test_pages_that_are_not_there():
    gone(
        "error_page",
        ("404 页面不存在", "您访问的页面不存在或者已经被移走，请检查网址的拼写，或者返回网站的首页。"),
        ("页面未找到", "抱歉，您要找的页面已被删除，请稍后再试。"),
        ("出错了", "您查看的商品已下架，五秒后自动跳转到商城的首页。"),
        ("提示", "該內容已刪除，請返回首頁。"),
    )
    kept(
        ("什么是404错误", "404 表示服务器找不到请求的页面，可能页面不存在，请检查网址，或者联系管理员。"),
        ("如何处理页面不存在", "链接失效时页面不存在，可以设置跳转，返回首页。"),
        ("删除文章", "管理员可以在后台删除文章，已删除的文章会进入回收站，三十天后清空。"),
        ("编钟的构造", "编钟由大小不同的铜钟组成，按照音高挂在木架上，用木槌敲打。"),
    )


def test_a_query_that_is_an_address():
    gone(
        "address",
        ("https://a.invalid/x?y=1", PROSE),
        ("www.qinghe.invalid", PROSE),
        ("bbs.qinghe.cn/read-12.html", PROSE),
    )
    kept(("GitHub.com 的双重验证", PROSE), ("nginx.conf", PROSE), ("ASP.NET", PROSE), ("https:// 是什么", PROSE))


def test_refusals_of_a_model_are_no_answers():
    gone(
        "refusal",
        (
            "明天的风力多大？",
            "很抱歉，作为一个人工智能助手，我无法获取实时的天气信息，建议您查看天气预报。",
            "question_answer",
        ),
        ("播放歌曲", "抱歉，我无法播放音乐。", "question_answer"),
        ("你喜歡什麼？", "作為一個AI語言模型，我沒有個人喜好。", "question_answer"),
        ("画一幅画", "对不起，我不能生成图片。", "question_answer"),
    )
    kept(
        ("怎样婉拒邀请？", "抱歉，我周末有安排，无法参加，下次一定去。", "question_answer"),
        ("怎样判断风力的大小？", "看旗子和树枝：旗子轻轻飘动是二级，小树枝摇动是四级。", "question_answer"),
        ("人工智能能做什么", "作为人工智能的一个分支，机器学习研究怎样从数据中学习。", "question_answer"),
    )


def test_scans_with_a_space_between_all_characters():
    gone(
        "spaced_out",
        ("石桥", "石 桥 每 隔 五 年 检 修 一 次 ， 先 清 除 桥 面 的 杂 草 。"),
        ("石 桥 的 维 护 和 检 修 办 法", PROSE),
    )
    kept(
        ("四季", "春 夏 秋 冬，一年有四季，各有各的花。"),
        ("名单", "张三 李四 王五 赵六 孙七 周八 吴九"),
        ("栏目", "首页 新闻 公告 活动 论坛 商城"),
    )
