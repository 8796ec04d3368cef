"""Packing: how many rows of how many tokens the learner reads in one pass, with shared prompts or without."""

from typing import NamedTuple

from rl.config.root import Config


class Rows(NamedTuple):
    """The rows of one pass.

    Example:
        Rows(count=2, length=416)    # two groups of a prompt and eight completions
    """

    count: int
    length: int
    """Tokens of each."""


def learner_rows(config: Config, longest_prompt: int) -> Rows:
    """Return the rows of a micro-batch whose prompts and completions are all as long as they may be.

    With shared prompts a row is a group, or several up to `trainer.tokens_per_row`, and each completion has a copy of
    the prompt's last token. Every model that can be planned can share: it has rotary positions and no experts.
    """
    trainer = config.trainer
    completions, longest = trainer.per_device_train_batch_size, trainer.max_completion_length
    if not trainer.shared_prompts:
        return Rows(completions, longest_prompt + longest)
    members = min(completions, trainer.num_generations)
    groups = -(-completions // members)
    group = max(0, longest_prompt - 1) + members * (longest + 1)
    together = min(groups, max(1, config.packed_tokens // group))
    return Rows(-(-groups // together), together * group)
