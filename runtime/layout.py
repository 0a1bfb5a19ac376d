"""Proof at start that our ctypes structures lie as the loaded llama.cpp has them.

The C API has no sizeof, and a field read 4 bytes off is a crash or, worse, a plausible number. So every structure that
the engine reads or writes is tried out: default values field by field, counts and pointers the library fills in,
samplers run over known data, tensors made in a small ggml context. All of it takes well under 20 ms.

What behaviour cannot show: two neighbours of the same type and default (`type_k`, `type_v`) that changed places.
Against that stand the order of the names, compared as well, and the pinned version.
"""

import ctypes
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from llama_cpp import _ggml
from llama_cpp import llama_cpp as lib

from kithnet.runtime.errors import SetupError

KNOWN_FOR = "0.3.36"  # the llama-cpp-python whose layouts the tables below describe
Default = int | float | None
Struct = type[ctypes.Structure]
Fact = tuple[str, object, object]  # what is looked at, what was seen, what the known layout shows

CONTEXT_DEFAULTS: Mapping[str, Default] = {
    "n_ctx": 512,
    "n_batch": 2048,
    "n_ubatch": 512,
    "n_seq_max": 1,
    "n_rs_seq": 0,
    "n_outputs_max": 0,
    "n_outputs_max_per_seq": 1,
    "n_threads": 4,
    "n_threads_batch": 4,
    "ctx_type": 0,
    "rope_scaling_type": -1,
    "pooling_type": -1,
    "attention_type": -1,
    "flash_attn_type": -1,
    "rope_freq_base": 0.0,
    "rope_freq_scale": 0.0,
    "yarn_ext_factor": -1.0,
    "yarn_attn_factor": -1.0,
    "yarn_beta_fast": -1.0,
    "yarn_beta_slow": -1.0,
    "yarn_orig_ctx": 0,
    "defrag_thold": -1.0,
    "cb_eval": None,
    "cb_eval_user_data": None,
    "type_k": 1,
    "type_v": 1,
    "abort_callback": None,
    "abort_callback_data": None,
    "embeddings": False,
    "offload_kqv": True,
    "no_perf": True,
    "op_offload": True,
    "swa_full": True,
    "kv_unified": False,
    "samplers": None,
    "n_samplers": 0,
    "ctx_other": None,
}
"""`llama_context_default_params()`, in the order of llama.h; None is a null pointer."""

MODEL_DEFAULTS: Mapping[str, Default] = {
    "devices": None,
    "tensor_buft_overrides": None,
    "n_gpu_layers": -1,
    "split_mode": 1,
    "load_mode": -1,
    "lazy_mode": 1,
    "main_gpu": 0,
    "tensor_split": None,
    "progress_callback": None,
    "progress_callback_user_data": None,
    "kv_overrides": None,
    "vocab_only": False,
    "check_tensors": False,
    "use_extra_bufts": True,
    "no_host": False,
    "no_alloc": False,
    "load_mtp": False,
}
"""`llama_model_default_params()`, likewise."""

BATCH_FIELDS = ("n_tokens", "token", "embd", "pos", "n_seq_id", "seq_id", "logits")
TOKEN_OFFSETS: Mapping[str, int] = {"id": 0, "logit": 4, "p": 8}
TOKEN_ARRAY_OFFSETS: Mapping[str, int] = {"data": 0, "size": 8, "selected": 16, "sorted": 24}


class GgmlTensor(ctypes.Structure):
    """`struct ggml_tensor` of ggml.h. ne counts elements and nb strides in bytes, fastest dimension first."""

    type: int
    buffer: int | None
    ne: ctypes.Array[ctypes.c_int64]
    nb: ctypes.Array[ctypes.c_size_t]
    op: int
    op_params: ctypes.Array[ctypes.c_int32]
    flags: int
    src: ctypes.Array[ctypes.c_void_p]
    view_src: int | None
    view_offs: int
    data: int | None
    name: bytes
    extra: int | None

    _fields_ = (
        ("type", ctypes.c_int),
        ("buffer", ctypes.c_void_p),
        ("ne", ctypes.c_int64 * 4),
        ("nb", ctypes.c_size_t * 4),
        ("op", ctypes.c_int),
        ("op_params", ctypes.c_int32 * 16),
        ("flags", ctypes.c_int32),
        ("src", ctypes.c_void_p * 10),
        ("view_src", ctypes.c_void_p),
        ("view_offs", ctypes.c_size_t),
        ("data", ctypes.c_void_p),
        ("name", ctypes.c_char * 64),
        ("extra", ctypes.c_void_p),
        ("padding", ctypes.c_char * 8),
    )


class _InitParams(ctypes.Structure):
    """`struct ggml_init_params`."""

    _fields_ = (("mem_size", ctypes.c_size_t), ("mem_buffer", ctypes.c_void_p), ("no_alloc", ctypes.c_bool))


def check_layout(
    *,
    context_params: Struct = lib.llama_context_params,
    model_params: Struct = lib.llama_model_params,
    batch: Struct = lib.llama_batch,
    token_data: Struct = lib.llama_token_data,
    token_data_array: Struct = lib.llama_token_data_array,
    tensor: Struct = GgmlTensor,
) -> None:
    """Compare the structures with what the loaded library does. SetupError names every difference.

    The arguments are the classes in use; a test hands in wrong ones.
    """
    families: dict[str, Callable[[], list[str]]] = {
        "llama_context_params": lambda: params_differences("llama_context", context_params, CONTEXT_DEFAULTS),
        "llama_model_params": lambda: params_differences("llama_model", model_params, MODEL_DEFAULTS),
        "llama_batch": lambda: batch_differences(batch),
        "llama_token_data": lambda: token_differences(token_data, token_data_array),
        "ggml_tensor": lambda: tensor_differences(tensor),
    }
    found = [f"{family}: {'; '.join(differences)}" for family, look in families.items() if (differences := look())]
    if found:
        raise SetupError(
            f"the loaded llama.cpp does not have the struct layouts known here for llama-cpp-python {KNOWN_FOR} "
            f"({' | '.join(found)})",
            f"pip install llama-cpp-python=={KNOWN_FOR}",
        )


def params_differences(prefix: str, struct: Struct, known: Mapping[str, Default]) -> list[str]:
    """Compare what `<prefix>_default_params()` returns, read through `struct`, with the known defaults."""
    names = _name_differences(struct, known)
    if names:
        return names

    class Roomy(ctypes.Structure):  # the library writes its own size, whatever the size of ours
        _fields_ = (("value", struct), ("room", ctypes.c_uint8 * 512))

    value = _function(lib._lib, f"{prefix}_default_params", Roomy)().value
    return _differing((name, _plain(getattr(value, name)), default) for name, default in known.items())


def batch_differences(struct: Struct) -> list[str]:
    """Compare batches that the library allocates for tokens and for embeddings, and one made around our tokens.

    A pointer is followed only after every count and null pointer was found in its place.
    """
    names = _name_differences(struct, BATCH_FIELDS)
    if names:
        return names

    class Roomy(ctypes.Structure):
        _fields_ = (("value", struct), ("room", ctypes.c_uint8 * 256))

    init = _function(lib._lib, "llama_batch_init", Roomy, ctypes.c_int32, ctypes.c_int32, ctypes.c_int32)
    around = _function(lib._lib, "llama_batch_get_one", Roomy, ctypes.c_void_p, ctypes.c_int32)
    tokens = (ctypes.c_int32 * 3)(7, 8, 9)
    ours, plain, embedding = around(tokens, 3), init(2, 0, 1), init(2, 4, 1)
    address = {name: _plain(getattr(ours.value, name)) for name in BATCH_FIELDS}
    expected = dict.fromkeys(BATCH_FIELDS) | {"n_tokens": 3, "token": ctypes.addressof(tokens)}
    wrong = _differing((f"{name} of three tokens", address[name], expected[name]) for name in BATCH_FIELDS)
    for label, made, null in (("tokens", plain, "embd"), ("embeddings", embedding, "token")):
        wrong += _differing([(f"n_tokens of new {label}", made.value.n_tokens, 0)])
        wrong += _differing(
            (f"{name} of new {label} is null", _plain(getattr(made.value, name)) in (None, 0), name == null)
            for name in BATCH_FIELDS[1:]
        )
    if not wrong:
        wrong = _differing(_batch_facts(plain.value))
    if not wrong:  # else the library would free what our broken view calls a batch
        for made in (plain, embedding):
            lib.llama_batch_free(lib.llama_batch.from_buffer_copy(made))
    return wrong


def _batch_facts(batch: Any) -> Iterable[Fact]:
    """Facts of a batch for two tokens: the list of sequence ids ends in a null; what is written is read back."""
    ends = ctypes.cast(batch.seq_id, ctypes.POINTER(ctypes.c_void_p))
    yield "seq_id lists two cells and a null", [bool(ends[i]) for i in range(3)], [True, True, False]
    if ends[0] and ends[1] and not ends[2]:
        cells = {"token": batch.token, "pos": batch.pos, "n_seq_id": batch.n_seq_id, "logits": batch.logits}
        cells |= {"seq_id[0]": batch.seq_id[0]}
        for value, cell in enumerate(cells.values(), start=1):
            cell[0] = value
        for value, (name, cell) in enumerate(cells.items(), start=1):
            yield f"{name}, written and read,", cell[0], value


def token_differences(item: Struct, array: Struct) -> list[str]:
    """Run samplers over known data laid out by the two structures and look at what they did.

    The library follows the array's pointer, so the offsets are compared with llama.h before anything is run.
    """
    wrong = [*_offset_differences(item, TOKEN_OFFSETS), *_offset_differences(array, TOKEN_ARRAY_OFFSETS)]
    if wrong:
        return wrong
    logits = (1.0, 4.0, 0.5, 3.0, -2.0)
    data: Any = (item * len(logits))(*(item(10 + i, logit, 0.0) for i, logit in enumerate(logits)))
    candidates: Any = array(ctypes.cast(data, _field_type(array, "data")), len(logits), -1, False)
    sampler = _function(lib._lib, "llama_sampler_init_greedy", ctypes.c_void_p)()
    _sample(sampler, candidates)
    facts: list[Fact] = [("selected by greedy", candidates.selected, 1)]
    bias = (lib.llama_logit_bias * 1)(lib.llama_logit_bias(13, 2.0))
    init_bias = _function(
        lib._lib, "llama_sampler_init_logit_bias", ctypes.c_void_p, ctypes.c_int32, ctypes.c_int32, ctypes.c_void_p
    )
    _sample(init_bias(32, 1, bias), candidates)
    facts.append(("logit after a bias", data[3].logit, 5.0))
    _sample(_function(lib._lib, "llama_sampler_init_top_k", ctypes.c_void_p, ctypes.c_int32)(3), candidates)
    facts += [("size after top-k", candidates.size, 3), ("sorted after top-k", candidates.sorted, True)]
    if not (wrong := _differing(facts)):
        _sample(_function(lib._lib, "llama_sampler_init_dist", ctypes.c_void_p, ctypes.c_uint32)(1), candidates)
        best = [candidates.data[i] for i in range(3)]
        total = math.fsum(math.exp(logit) for logit in (5.0, 4.0, 1.0))
        wrong = _differing(
            [
                ("ids, best first,", [one.id for one in best], [13, 11, 10]),
                ("logits, best first,", [one.logit for one in best], [5.0, 4.0, 1.0]),
                ("p of the best", round(best[0].p, 4), round(math.exp(5.0) / total, 4)),
                ("selected is in range", 0 <= candidates.selected < 3, True),
            ]
        )
    return wrong


def _sample(sampler: int, candidates: ctypes.Structure) -> None:
    """Apply a sampler once and free it."""
    _function(lib._lib, "llama_sampler_apply", None, ctypes.c_void_p, ctypes.c_void_p)(
        sampler, ctypes.addressof(candidates)
    )
    _function(lib._lib, "llama_sampler_free", None, ctypes.c_void_p)(sampler)


def tensor_differences(struct: Struct) -> list[str]:
    """Make tensors in a small ggml context and read them through `struct`."""
    names = _name_differences(struct, [name for name, *_ in GgmlTensor._fields_])
    if names:
        return names
    size, pointer, number = ctypes.c_size_t, ctypes.c_void_p, ctypes.c_int64
    context = _function(_ggml.libggml, "ggml_init", pointer, _InitParams)(_InitParams(1 << 16, None, False))
    try:
        new = _function(_ggml.libggml, "ggml_new_tensor_2d", pointer, pointer, ctypes.c_int, number, number)
        view = _function(_ggml.libggml, "ggml_view_2d", pointer, pointer, pointer, number, number, size, size)
        scale = _function(_ggml.libggml, "ggml_scale", pointer, pointer, pointer, ctypes.c_float)
        add = _function(_ggml.libggml, "ggml_add", pointer, pointer, pointer, pointer)
        plain, packed = new(context, 0, 5, 3), new(context, 8, 64, 3)  # F32, Q8_0
        window, scaled = view(context, plain, 3, 2, 20, 24), scale(context, plain, 2.5)
        total = add(context, plain, scaled)
        wrong = _differing(_shape_facts(struct, plain, packed))
        wrong += _differing(_graph_facts(struct, plain, window, scaled, total))
        if not wrong:  # only now is writing through the structure safe
            wrong = _differing(_written_facts(struct, plain))
    finally:
        _function(_ggml.libggml, "ggml_free", None, pointer)(context)
    return wrong


def _shape_facts(struct: Struct, plain: int, packed: int) -> Iterable[Fact]:
    """Facts of a new 3 x 5 float matrix and of a 3 x 64 quantised one."""
    pointer = ctypes.c_void_p
    _function(_ggml.libggml, "ggml_set_name", pointer, pointer, ctypes.c_char_p)(plain, b"kith-layout-0 (reshaped)")
    _function(_ggml.libggml, "ggml_set_output", None, pointer)(plain)
    tensor: Any = struct.from_address(plain)
    yield "size", ctypes.sizeof(struct) + 32, _function(_ggml.libggml, "ggml_tensor_overhead", ctypes.c_size_t)()
    yield "type of floats", tensor.type, 0
    yield "buffer", tensor.buffer, None
    yield "ne of floats", list(tensor.ne), [5, 3, 1, 1]
    yield "nb of floats", list(tensor.nb), [4, 20, 60, 60]
    yield "op", tensor.op, 0
    yield "flags", tensor.flags, 2  # GGML_TENSOR_FLAG_OUTPUT
    yield "data", tensor.data, _function(_ggml.libggml, "ggml_get_data", pointer, pointer)(plain)
    yield "name", tensor.name, b"kith-layout-0 (reshaped)"
    yield "extra", tensor.extra, None
    yield "nbytes", _function(_ggml.libggml, "ggml_nbytes", ctypes.c_size_t, pointer)(plain), 60
    quantised: Any = struct.from_address(packed)
    yield "type of Q8_0", quantised.type, 8
    yield "ne of Q8_0", list(quantised.ne), [64, 3, 1, 1]
    yield "nb of Q8_0", list(quantised.nb), [34, 68, 204, 204]


def _graph_facts(struct: Struct, plain: int, window: int, scaled: int, total: int) -> Iterable[Fact]:
    """Facts of a view of `plain`, of `plain` scaled by 2.5, and of the sum of the two."""
    op_name = _function(_ggml.libggml, "ggml_op_name", ctypes.c_char_p, ctypes.c_int)
    base: Any = struct.from_address(plain)
    view: Any = struct.from_address(window)
    yield "view_src", view.view_src, plain
    yield "view_offs", view.view_offs, 24
    yield "data of a view", view.data, (base.data or 0) + 24
    yield "nb of a view", list(view.nb), [4, 20, 40, 40]
    product: Any = struct.from_address(scaled)
    yield "op_params", list(product.op_params[:2]), [0x40200000, 0]  # 2.5 and no bias, as float bits
    addition: Any = struct.from_address(total)
    yield "src", list(addition.src), [plain, scaled, *[None] * 8]
    for label, tensor in ((b"VIEW", view), (b"SCALE", product), (b"ADD", addition)):
        # op_name indexes a table of about a hundred names without looking at the bounds
        yield "op", op_name(tensor.op) if 0 <= tensor.op < 64 else tensor.op, label


def _written_facts(struct: Struct, plain: int) -> Iterable[Fact]:
    """Facts that the library reports after `plain` was changed through the structure."""
    pointer = ctypes.c_void_p
    tensor: Any = struct.from_address(plain)
    tensor.name, tensor.data, tensor.ne[1] = b"written", tensor.data + 4, 7
    yield "written name", _function(_ggml.libggml, "ggml_get_name", ctypes.c_char_p, pointer)(plain), b"written"
    yield "written data", _function(_ggml.libggml, "ggml_get_data", pointer, pointer)(plain), tensor.data
    yield "written ne", _function(_ggml.libggml, "ggml_nbytes", ctypes.c_size_t, pointer)(plain), 140


def _function(library: ctypes.CDLL, name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
    """A function object of our own: subscripting a library, unlike an attribute, never returns a shared one."""
    try:
        function = library[name]
    except AttributeError as error:
        raise SetupError(
            f"the loaded llama.cpp does not export {name}", f"pip install llama-cpp-python=={KNOWN_FOR}"
        ) from error
    function.argtypes, function.restype = arguments, result
    return function


def _plain(value: Any) -> Default:
    """A field's value as a number; None for a null pointer."""
    if value is None or isinstance(value, bool | int | float):
        return value
    address: int | None = ctypes.cast(value, ctypes.c_void_p).value
    return address


def _field_type(struct: Struct, wanted: str) -> Any:
    return next(kind for name, kind, *_ in struct._fields_ if name == wanted)


def _name_differences(struct: Struct, known: Iterable[str]) -> list[str]:
    names = [name for name, *_ in struct._fields_]
    return _differing([("fields", names, list(known))])


def _offset_differences(struct: Struct, known: Mapping[str, int]) -> list[str]:
    return _differing([("offsets", {name: getattr(struct, name).offset for name, *_ in struct._fields_}, dict(known))])


def _differing(facts: Iterable[Fact]) -> list[str]:
    """Sentences about the facts that are not as they should be."""
    return [f"{label} {seen!r} instead of {known!r}" for label, seen, known in facts if seen != known]
