"""Lexicon: plain running text about a small town in several languages, from which witnesses are written."""

RUNNING_TEXT = {
    "en": """people here walk by the river children play near the old school small birds sing in tall trees we all
        eat bread with fruit a friend tells us good stories six lazy cats sit next door the market opens quickly
        every morning my family enjoys the blue sky cold water comes from a jug then everyone goes home to bed""",
    "de": """viele Leute gehen gern am Fluss spazieren und reden über das Wetter während die Kinder im Garten spielen
        weil die Sonne scheint und der Himmel blau ist""",
    "es": """muchas personas caminan por la orilla del río y hablan con sus amigos mientras los niños juegan en el
        parque porque hace sol y el cielo está azul""",
    "fr": """beaucoup de gens se promènent au bord de la rivière et parlent avec leurs amis pendant que les enfants
        jouent dans le jardin parce que le soleil brille""",
    "it": """molte persone camminano lungo il fiume e parlano con gli amici mentre i bambini giocano nel parco perché
        il sole splende e il cielo è azzurro""",
    "pt": """muitas pessoas caminham à beira do rio e conversam com os amigos enquanto as crianças brincam no parque
        porque faz sol e o céu está azul""",
    "zh-cn": "我们 今天 去 河边 散步 孩子们 在 学校 旁边 玩耍 天空 很 蓝 树木 很 高 大家 吃 面包 和 水果 然后 回家",
    "zh-tw": "我們 今天 去 河邊 散步 孩子們 在 學校 旁邊 玩耍 天空 很 藍 樹木 很 高 大家 吃 麵包 和 水果 然後 回家",
}

WORDS = {language: tuple(text.split()) for language, text in RUNNING_TEXT.items()}
"""Language code -> words in an order that reads as text."""

ALLITERATIONS = ("small silver stones shine", "big bright blue birds", "many merry men march")
"""Runs of words with the same first letter."""

PALINDROMES = ("level", "noon", "civic", "radar")
