"""Context: prompts that a model's context has no room for are refused before anything is generated."""

from collections.abc import Sequence

from peft import PeftModel
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from data.problems import Problem
from rl.common.errors import UserError
from rl.models.tokenization import encode_problems


def check_prompt_lengths(
    model: PreTrainedModel | PeftModel, tokenizer: PreTrainedTokenizerBase, problems: Sequence[Problem], *, data: str
) -> None:
    """Raise UserError, naming the row of `data`, its tokens and the model's, for a prompt that leaves no room."""
    context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if context is None:
        return
    for number, problem in enumerate(problems, 1):
        # A token is at least a byte, and no chat template fills half a context: most prompts need no tokenization.
        if 2 * sum(len(message["content"].encode(errors="replace")) for message in problem.messages) < context:
            continue
        length = len(encode_problems(tokenizer, [problem])[0])
        if length >= context:
            raise UserError(
                f"{data}: the prompt of row {number} (problem {problem.problem_id!r}) has {length} tokens and the "
                f"model's context {context}, so there is no room for an answer; shorten the prompt, drop the row, or "
                "take a model with a longer context"
            )
