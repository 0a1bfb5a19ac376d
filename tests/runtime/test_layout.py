"""The start-up check accepts the binding we are pinned to and refuses structures that lie differently."""

import ctypes
import time
from typing import Any

import pytest
from llama_cpp import llama_cpp as lib

from kithnet.runtime import layout, llama
from kithnet.runtime.errors import SetupError
from kithnet.runtime.layout import GgmlTensor, check_layout

FAMILIES = {
    "context_params": (lib.llama_context_params, "llama_context_params"),
    "model_params": (lib.llama_model_params, "llama_model_params"),
    "batch": (lib.llama_batch, "llama_batch"),
    "token_data": (lib.llama_token_data, "llama_token_data"),
    "token_data_array": (lib.llama_token_data_array, "llama_token_data"),
    "tensor": (GgmlTensor, "ggml_tensor"),
}


def rebuilt(struct: Any, **kinds: Any) -> Any:
    """The same structure with some fields of another type, so that those after it move."""
    fields = [(name, kinds.get(name, kind)) for name, kind, *_ in struct._fields_]
    return type(struct.__name__, (ctypes.Structure,), {"_fields_": fields})


def refusal(**structs: Any) -> str:
    with pytest.raises(SetupError) as caught:
        check_layout(**structs)
    assert caught.value.hint == "pip install llama-cpp-python==0.3.36"
    return caught.value.message


def test_the_pinned_binding_passes_and_costs_nothing_worth_naming() -> None:
    start = time.perf_counter()
    check_layout()
    assert time.perf_counter() - start < 0.2  # 0.5 ms on an idle machine


def test_starting_the_backend_runs_the_check() -> None:
    llama.start_backend()
    assert layout.KNOWN_FOR == llama.BINDING


@pytest.mark.parametrize("family", FAMILIES)
def test_an_unchanged_copy_of_a_structure_passes(family: Any) -> None:
    check_layout(**{family: rebuilt(FAMILIES[family][0])})


@pytest.mark.parametrize(
    ("family", "field", "kind", "noticed"),
    [
        ("context_params", "n_ctx", ctypes.c_uint64, "n_seq_max"),
        ("context_params", "cb_eval_user_data", ctypes.c_void_p * 2, "type_k"),
        ("context_params", "abort_callback_data", ctypes.c_void_p * 2, "offload_kqv"),
        ("context_params", "embeddings", ctypes.c_int32, "embeddings"),
        ("model_params", "n_gpu_layers", ctypes.c_int64, "split_mode"),
        ("model_params", "vocab_only", ctypes.c_int32, "use_extra_bufts"),
        ("batch", "n_tokens", ctypes.c_int64 * 2, "token"),
        ("batch", "embd", ctypes.c_void_p * 2, "embd"),
        ("batch", "pos", ctypes.c_int32, "pos of three tokens"),
        ("token_data", "id", ctypes.c_int64, "offsets"),
        ("token_data_array", "selected", ctypes.c_int32, "sorted"),
        ("tensor", "type", ctypes.c_int64 * 2, "ne of floats"),
        ("tensor", "buffer", ctypes.c_void_p * 2, "nb of floats"),
        ("tensor", "op_params", ctypes.c_int32 * 14, "flags"),
        ("tensor", "src", ctypes.c_void_p * 12, "view_src"),
        ("tensor", "name", ctypes.c_char * 48, "size"),
    ],
)
def test_a_shifted_structure_is_refused_and_named(family: Any, field: Any, kind: Any, noticed: Any) -> None:
    struct, title = FAMILIES[family]
    message = refusal(**{family: rebuilt(struct, **{field: kind})})
    assert f"{title}: " in message
    assert noticed in message
    assert sum(f"{name}: " in message for _, name in FAMILIES.values()) == 1 + (title == "llama_token_data")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_structure_with_a_field_too_many_or_in_another_place_is_refused(family: Any) -> None:
    struct, title = FAMILIES[family]
    fields = list(struct._fields_)
    more = type("More", (ctypes.Structure,), {"_fields_": [("added", ctypes.c_int64), *fields]})
    swapped = type("Swapped", (ctypes.Structure,), {"_fields_": [fields[1], fields[0], *fields[2:]]})
    for changed in (more, swapped):
        assert title in refusal(**{family: changed})


def test_every_difference_is_reported_at_once() -> None:
    message = refusal(
        context_params=rebuilt(lib.llama_context_params, n_ctx=ctypes.c_uint64),
        tensor=rebuilt(GgmlTensor, type=ctypes.c_int64 * 2),
    )
    assert "llama_context_params: " in message
    assert "ggml_tensor: " in message
