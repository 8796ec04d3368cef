"""Language: (kind, arguments, completion, margin, text under the evidence; ... = the whole completion)."""

GERMAN = "Der Regen ist ein Geschenk für jeden Bauern, der in den Bergen lebt."

CASES = [
    ("language:response_language", {"language": "de"}, GERMAN, 0, ...),
    ("language:response_language", {"language": "en"}, GERMAN, -1, ...),
    ("language:response_language", {"language": "en"}, "1234 !!", -1, ...),  # no language to be seen
    ("language:simplified_chinese", {}, "我爱学习汉语。", 0, ...),
    ("language:simplified_chinese", {}, "我愛学习漢语。", -2, ["愛", "漢"]),
    ("language:simplified_chinese", {}, "I love 学习", -1, ...),  # five Latin letters, two Chinese ones
    ("language:traditional_chinese", {}, "我愛學習漢語。", 0, ...),
    ("language:traditional_chinese", {}, "我爱學習漢語。", -1, ["爱"]),
    ("language:script", {"script": "Cyrillic"}, "Дождь 7!", 0, ...),
    ("language:script", {"script": "Latin"}, "r\u0430in", -1, ["\u0430"]),  # the second letter is Cyrillic
    ("language:script", {"script": "Han"}, "7!", -1, ...),
]
