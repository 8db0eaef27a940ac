"""A model of a few hundred kilobytes that llama.cpp loads in a moment.

Its weights are random and its vocabulary is the 256 bytes and Qwen's fill-in-the-middle
tokens, so it says nothing sensible; it is for tests of processes and protocols.
"""

from pathlib import Path

_SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|fim_pad|>",
    "<|repo_name|>",
    "<|file_sep|>",
)
_CONTROL, _NORMAL = 3, 1


def write_tiny_model(path: Path, name: str = "tiny-qwen2.5-coder", *, seed: int = 0) -> Path:
    """Write the model to ``path``; another seed makes another model."""
    import gguf
    import numpy as np

    width, layers, heads, inner = 64, 2, 4, 128
    tokens = _byte_tokens() + [token.encode() for token in _SPECIAL]
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_name(name)
    writer.add_context_length(4096)
    writer.add_embedding_length(width)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(inner)
    writer.add_head_count(heads)
    writer.add_head_count_kv(heads)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(10_000.0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([_NORMAL] * 256 + [_CONTROL] * len(_SPECIAL))
    writer.add_token_merges(["a b"])
    writer.add_eos_token_id(256)
    writer.add_bos_token_id(256)
    writer.add_add_bos_token(False)
    random = np.random.default_rng(seed)

    def tensor(label: str, *shape: int) -> None:
        writer.add_tensor(label, random.normal(0, 0.3, shape).astype(np.float32))

    tensor("token_embd.weight", len(tokens), width)
    writer.add_tensor("output_norm.weight", np.ones(width, np.float32))
    for layer in range(layers):
        block = f"blk.{layer}"
        for norm in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"{block}.{norm}.weight", np.ones(width, np.float32))
        for part in ("attn_q", "attn_k", "attn_v"):
            tensor(f"{block}.{part}.weight", width, width)
            writer.add_tensor(f"{block}.{part}.bias", np.zeros(width, np.float32))
        tensor(f"{block}.attn_output.weight", width, width)
        tensor(f"{block}.ffn_gate.weight", inner, width)
        tensor(f"{block}.ffn_up.weight", inner, width)
        tensor(f"{block}.ffn_down.weight", width, inner)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _byte_tokens() -> list[bytes]:
    """Return the printable stand-ins of the 256 bytes, as GPT-2's tokenizer has them."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    stand_ins = {byte: chr(byte) for byte in printable}
    others = (byte for byte in range(256) if byte not in stand_ins)
    stand_ins.update({byte: chr(256 + number) for number, byte in enumerate(others)})
    return [stand_ins[byte].encode() for byte in range(256)]
