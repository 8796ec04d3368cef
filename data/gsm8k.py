"""GSM8K: word problems that ask for a number, with their workings (arXiv 2110.14168)."""

import re
from collections.abc import Mapping
from typing import Any

NUMBER_MARK = "####"
"""What stands before the number that answers a question."""
CALCULATION = re.compile(r"<<[^<>]*>>")
"""The notes for a calculator within the workings, which nobody is to read."""


def is_gsm8k(row: Mapping[str, Any]) -> bool:
    """Whether a row has GSM8K's columns: a text `question`, and an `answer` that ends in the marked number."""
    question, answer = row.get("question"), row.get("answer")
    return isinstance(question, str) and isinstance(answer, str) and NUMBER_MARK in answer


def number_question(row: Mapping[str, Any]) -> str:
    """Return the question, and in our words how to end the answer."""
    return f'{row["question"].strip()}\n\nEnd your answer with the number alone, on a line such as "{NUMBER_MARK} 42".'


def reference_number(row: Mapping[str, Any]) -> str:
    """Return the number that is right, without commas."""
    return row["answer"].rpartition(NUMBER_MARK)[2].strip().replace(",", "")


def workings(row: Mapping[str, Any]) -> str:
    """Return the right answer with its workings, as one would write it."""
    return CALCULATION.sub("", row["answer"]).strip()
