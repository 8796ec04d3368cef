"""Loading models and tokenizers by name, and the error messages for names that do not load."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.trainer_utils import align_special_tokens

from rl.common.errors import UserError
from rl.models import load
from rl.models.load import end_token_ids, load_model, load_tokenizer, model_path, resolve_dtype
from rl.models.tiny import tiny_model, tiny_tokenizer


@pytest.fixture
def empty_cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("HEED_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def same_weights(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    left, right = one.state_dict(), other.state_dict()
    assert left
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def test_load_model__tiny_in_memory_equals_tiny_from_its_path(empty_cache):
    path = model_path("tiny")
    assert Path(path).parent == empty_cache
    assert same_weights(load_model("tiny"), AutoModelForCausalLM.from_pretrained(path))
    from_path, in_memory = AutoTokenizer.from_pretrained(path), load_tokenizer("tiny")
    assert from_path.get_vocab() == in_memory.get_vocab()
    assert from_path.chat_template == in_memory.chat_template


def test_load_model__name_or_path_is_the_given_name(empty_cache):
    assert load_model("tiny").name_or_path == "tiny"
    assert load_model("tiny").config._name_or_path == "tiny"
    path = model_path("tiny")
    assert load_model(path).name_or_path == path


def test_load_model__is_in_eval_mode():
    assert not load_model("tiny").training


def test_load_model__has_the_given_dtype_and_attention():
    model = load_model("tiny", dtype=torch.bfloat16, attn_implementation="eager")
    assert {weight.dtype for weight in model.parameters()} == {torch.bfloat16}
    assert model.config._attn_implementation == "eager"


def test_load_model__from_a_folder(empty_cache, tmp_path):
    load_model("tiny").save_pretrained(tmp_path / "mine")
    load_tokenizer("tiny").save_pretrained(tmp_path / "mine")
    assert model_path(str(tmp_path / "mine")) == str(tmp_path / "mine")
    assert same_weights(load_model(str(tmp_path / "mine")), load_model("tiny"))


def test_load_model__answers_end_at_the_model_s_and_at_the_tokenizer_s_end_tokens(tmp_path):
    # 7 is the only end token of the model's own settings, 2 is the tokenizer's
    model, tokenizer = load_model("tiny"), load_tokenizer("tiny")
    model.config.eos_token_id = model.generation_config.eos_token_id = 7
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    loaded = load_model(str(tmp_path))
    assert end_token_ids(loaded, tokenizer) == {2, 7}
    align_special_tokens(loaded, tokenizer)  # as transformers' trainer does when training begins
    assert end_token_ids(loaded, tokenizer) == {2, 7}


def test_load_tokenizer__without_a_pad_token_pads_with_its_end_token(tmp_path):
    tokenizer = load_tokenizer("tiny")
    tokenizer.pad_token = None
    tokenizer.save_pretrained(tmp_path)
    load_model("tiny").save_pretrained(tmp_path)
    assert load_tokenizer(str(tmp_path)).pad_token == "<|im_end|>"


def test_model_path__a_hub_name_is_unchanged():
    assert model_path("owner/name") == "owner/name"


def test_model_path__names_a_missing_folder():
    with pytest.raises(ValueError, match=r"model /no/such/folder: there is no such folder"):
        load_model("/no/such/folder")


def test_model_path__refuses_a_folder_without_a_model(tmp_path):
    with pytest.raises(ValueError, match=r"save_pretrained, but it holds no config\.json"):
        load_model(str(tmp_path))
    (tmp_path / "adapter_config.json").write_text('{"base_model_name_or_path": "tiny"}')
    with pytest.raises(ValueError, match=r"it holds a PEFT adapter: set model\.name=tiny, and lora\.start to"):
        load_tokenizer(str(tmp_path))


def test_load_model__suggests_the_name_meant():
    with pytest.raises(ValueError, match=r"Did you mean the built-in smollm2-135m-instruct\?"):
        load_model("smollm2-135m-instuct")


def test_load_model__says_where_a_misspelt_folder_would_be(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    for name in ("models/tinny", "mine"):
        with pytest.raises(ValueError, match=rf"There is no folder {tmp_path}/{name}, and built in are "):
            load_model(name)


def test_load_model__names_what_it_takes_for_a_file(tmp_path):
    for name, words in (("w.gguf", "is GGUF's; load it with transformers"), ("w.bin", "is a file$")):
        (tmp_path / name).touch()
        with pytest.raises(ValueError, match=rf"{name}: expected a folder written by save_pretrained, but it {words}"):
            load_model(str(tmp_path / name))
    with pytest.raises(ValueError, match=r"but it is GGUF's"):
        load_model(str(tmp_path))


@pytest.fixture
def saved(tmp_path) -> Path:
    tiny_model().save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    return tmp_path


def test_load_model__weights_of_torch_and_in_shards(saved):
    weights = saved / "model.safetensors"
    weights.unlink()
    torch.save(tiny_model().state_dict(), saved / "pytorch_model.bin")
    assert same_weights(load_model(str(saved)), tiny_model())
    (saved / "pytorch_model.bin").unlink()
    tiny_model().save_pretrained(saved, max_shard_size="200KB")
    assert not weights.exists() and same_weights(load_model(str(saved)), tiny_model())


class _Touch:
    """Pickled, it creates a file when it is read."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_load_model__code_in_a_bin_file_is_never_run(saved):
    (saved / "model.safetensors").unlink()
    torch.save({"weight": _Touch(saved / "ran")}, saved / "pytorch_model.bin")
    with pytest.raises(UserError, match="holds code beside tensors, which is never run"):
        load_model(str(saved))
    assert not (saved / "ran").exists()


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("model.safetensors", b"", r"a \.safetensors file of it is damaged"),
        ("model.safetensors", b"x" * 99, r"a \.safetensors file of it is damaged"),
        ("config.json", b"{", "not a valid JSON file"),
        ("config.json", b'{"model_type": "unheard_of"}', "does not recognize this architecture"),
        ("config.json", b'{"model_type": "t5"}', "Unrecognized configuration class"),
        (
            "config.json",
            b'{"model_type": "own", "auto_map": {"AutoConfig": "x.Own", "AutoModelForCausalLM": "x.Own"}}',
            "contains custom code",
        ),
        ("tokenizer.json", b"{", "Expecting property name"),
    ],
)
def test_load_model__damaged_or_unknown_files_are_one_sentence(saved, file, content, reason):
    (saved / file).write_bytes(content)
    with pytest.raises(UserError, match=rf"^model {saved} could not be loaded: .*{reason}.*save_pretrained$") as raised:
        load_model(str(saved))
    assert "\n" not in str(raised.value)


def test_load_model__a_tensor_that_no_file_has_is_refused(saved):
    tensors = load_file(saved / "model.safetensors")
    del tensors["model.layers.0.self_attn.q_proj.weight"]
    save_file(tensors, saved / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match=r"lack 1 of its tensors, such as model\.layers\.0\.self_attn\.q_proj"):
        load_model(str(saved))


def test_load_model__a_tensor_of_another_shape_is_refused(saved):
    tensors = load_file(saved / "model.safetensors")
    tensors["model.norm.weight"] = tensors["model.norm.weight"][:3].clone()
    save_file(tensors, saved / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match="could not be loaded"):
        load_model(str(saved))


@pytest.mark.parametrize("load", [load_model, load_tokenizer])
def test_load__a_missing_hub_model_says_how_to_fetch_it(load):
    with pytest.raises(ValueError, match=r"model owner/name could not be loaded: .* run `hf download owner/name`"):
        load("owner/name")


def test_load__the_missing_built_in_model_says_how_to_fetch_it(empty_cache):
    with pytest.raises(ValueError, match=r"smollm2-135m-instruct is not in the cache at .*: run `make model`"):
        load_model("smollm2-135m-instruct")


def test_resolve_dtype__a_given_dtype_is_used():
    assert resolve_dtype("float32") == torch.float32
    assert resolve_dtype("bfloat16") == torch.bfloat16


@pytest.mark.skipif(torch.cuda.is_available(), reason="asks the CPU only where there is no GPU")
@pytest.mark.parametrize(("gains", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_resolve_dtype__auto_is_bf16_where_the_cpu_gains_by_it(gains, dtype, monkeypatch):
    monkeypatch.setattr(load, "gains_by_bf16", lambda words: gains)
    assert resolve_dtype("auto") == dtype


@pytest.mark.gpu
def test_resolve_dtype__auto_is_decided_by_the_gpu_if_there_is_one():
    # bf16 came with compute capability 8.0
    fits = torch.cuda.get_device_capability() >= (8, 0)
    assert resolve_dtype("auto") == (torch.bfloat16 if fits else torch.float32)


@pytest.mark.slow
def test_real_model__knows_something(smollm2_path):
    # Wrongly unpacked weights would leave no fact standing.
    tokenizer, model = load_tokenizer("smollm2-135m-instruct"), load_model("smollm2-135m-instruct")
    assert model.name_or_path == "smollm2-135m-instruct"
    inputs = tokenizer("The capital of France is", return_tensors="pt")
    with torch.no_grad():
        logits = model(**inputs).logits
    assert tokenizer.decode(logits[0, -1].argmax()) == " Paris"


def test_load_tokenizer__without_an_end_is_an_error(saved):
    tokenizer = tiny_tokenizer()
    tokenizer.eos_token = None
    tokenizer.save_pretrained(saved)
    with pytest.raises(UserError, match="has no end-of-sequence token, so no answer would end"):
        load_tokenizer(str(saved))
