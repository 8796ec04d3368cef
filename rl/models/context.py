"""Prompts that a model cannot take are refused by row before anything is generated."""

from collections.abc import Sequence
from typing import Any

from peft import PeftModel
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from data.problems import Problem
from rl.common.errors import UserError
from rl.models.tokenization import encode_problems

Model = PreTrainedModel | PeftModel


def check_messages(model: Model, tokenizer: PreTrainedTokenizerBase, problems: Sequence[Problem]) -> None:
    """Raise UserError when the template refuses the roles of a prompt, or the model lacks the template's tokens."""
    by_roles = {tuple(message["role"] for message in problem.messages): problem for problem in problems}
    prompts = encode_problems(tokenizer, list(by_roles.values()))
    highest = max((token for prompt in [*prompts, tokenizer.all_special_ids] for token in prompt), default=0)
    size: Any = model.get_input_embeddings().num_embeddings
    if highest >= size:
        raise UserError(
            f"the tokenizer is larger than the model: {highest} ({tokenizer.convert_ids_to_tokens(highest)!r}) is "
            f"beyond the {size} of the model's embedding; take the model's own tokenizer, or resize the model with "
            "resize_token_embeddings and save it"
        )


def check_prompt_lengths(
    model: Model, tokenizer: PreTrainedTokenizerBase, problems: Sequence[Problem], *, data: str
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
