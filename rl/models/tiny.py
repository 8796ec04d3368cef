"""`tiny`: a random two-layer Llama and its byte-level tokenizer, built in memory, for tests."""

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from rl.models.tiny_shape import TINY_SHAPE

# Ids 0, 1 and 2 in this order, as in SmolLM2.
SPECIAL_TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]

CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

# Byte-level BPE encodes any text; these lines only make ordinary requests shorter.
CORPUS = """
user assistant system
Write two sentences about the rain. Use the word "green" and end with a question mark.
Explain in a few words why the sky is blue. Answer in lower case, without commas.
Give me three short reasons to learn a new language, and number them.
Describe your favourite season. Your answer should have at least twenty words and at most forty words.
List the things that a small garden needs: water, light, good soil, and someone who looks after it.
Begin your response with the phrase "Once upon a time" and do not use the letter q.
The old train went slowly over the bridge while the children waved from the windows.
When the morning came, everyone in the village was already making bread, coffee and plans for the summer.
It is not possible to know what the weather will be like in the mountains next year.
There are many ways of cooking rice, but only some of them are quick and simple.
"""


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """Build the tokenizer: 512 tokens, ChatML template, pad `<|endoftext|>` different from eos `<|im_end|>`."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=TINY_SHAPE["vocab_size"],
        special_tokens=SPECIAL_TOKENS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS.strip().splitlines(), trainer)
    pad, begin, end = SPECIAL_TOKENS
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=pad,
        bos_token=begin,
        eos_token=end,
        chat_template=CHAT_TEMPLATE,
        model_max_length=2048,
    )


def tiny_model(*, seed: int = 0) -> LlamaForCausalLM:
    """Build a Llama with grouped-query attention (4 heads on 2), fp32; its weights depend on `seed` alone."""
    config = LlamaConfig(**TINY_SHAPE)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(config)
