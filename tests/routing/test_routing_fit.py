"""Fit: numbers from files, memory of the machine, and what is recommended."""

from __future__ import annotations

import ctypes
from typing import Any

import pytest

from ringfence.engine.machine import Machine
from ringfence.privacy import Zone
from ringfence.routing.fit import footprint, judge, kv_bytes_per_token
from ringfence.routing.fit_table import SHAPES, fit_table, recommend
from ringfence.routing.memory import MemoryWatch, free_gpu_bytes, room_for_models
from ringfence.routing.quantization import (
    normalised,
    parse_parameters,
    spelled_parameters,
)
from ringfence.routing.task import TaskKind
from tests.routing.fakes import model

GB = 10**9
GIB = 1024**3


class TestSizes:
    @pytest.mark.parametrize(
        ("name", "q4", "q8", "kv"),
        [
            ("Llama-3.1-8B-Instruct", 4.9, 8.5, 128 * 1024),
            ("Qwen2.5-Coder-7B-Instruct", 4.7, 8.1, 56 * 1024),
            ("Llama-3.1-70B-Instruct", 43.2, 75.0, 320 * 1024),
        ],
    )
    def test_published_models_have_their_known_sizes(
        self, name: str, q4: float, q8: float, kv: int
    ) -> None:
        shape = next(each for each in SHAPES if each.name == name)

        small, large = shape.model("Q4_K_M", 8192), shape.model("Q8_0", 8192)

        assert small.weights_bytes == pytest.approx(q4 * GB, rel=0.01)
        assert large.weights_bytes == pytest.approx(q8 * GB, rel=0.01)
        assert small.kv_bytes_per_token == kv

    def test_a_quantized_cache_takes_a_little_over_half(self) -> None:
        assert kv_bytes_per_token(32, 8, 128, 128) == 131_072
        assert kv_bytes_per_token(32, 8, 128, 128, 1.0625) == 69_632

    def test_sizes_that_are_not_reported_are_estimated_and_said_to_be(self) -> None:
        need = footprint(model(parameters="8B", quantization="Q4_K_M", context=8192))

        assert need is not None
        assert need.estimated
        assert need.weights == pytest.approx(4.89 * GB)
        assert need.kv_cache == 8192 * 128 * 1024

    def test_an_unknown_size_is_given_the_benefit_of_the_doubt(self) -> None:
        verdict = judge(model(parameters=None, quantization=None), 1)

        assert verdict.fits
        assert "not known" in verdict.why

    def test_a_model_elsewhere_is_not_judged_by_this_machine(self) -> None:
        assert judge(model(zone=Zone.NETWORK, parameters="70B"), 1).fits

    def test_less_context_is_suggested_where_that_is_enough(self) -> None:
        wide = model(parameters="8B", quantization="Q4_K_M", context=131_072)

        verdict = judge(wide, 16 * GB)

        assert not verdict.fits
        assert verdict.remedy == "Serve it with 65536 tokens of context, which would fit."

    @pytest.mark.parametrize(
        ("word", "number", "spelled"),
        [
            ("8B", 8_000_000_000, "8B"),
            ("494.03M", 494_030_000, "494M"),
            ("8x7B", 56_000_000_000, "56B"),
            ("7.6b", 7_600_000_000, "7.6B"),
        ],
    )
    def test_parameters_are_read_and_written(self, word: str, number: int, spelled: str) -> None:
        assert parse_parameters(word) == number
        assert spelled_parameters(number) == spelled

    @pytest.mark.parametrize("word", [None, "", "large", "8 apples"])
    def test_what_is_no_number_of_parameters_is_unknown(self, word: str | None) -> None:
        assert parse_parameters(word) is None

    def test_quantizations_are_the_same_in_any_spelling(self) -> None:
        assert normalised("q4_k_m") == normalised("Q4-K-M") == "Q4_K_M"
        assert normalised("fp16") == "F16"
        assert normalised(" ") is None


class TestMemory:
    machine = Machine(8, 8, 64 * GIB, 60 * GIB)

    def test_a_reserve_is_kept(self) -> None:
        room = room_for_models(self.machine)

        assert room.bytes == 60 * GIB - round(6.4 * GIB)
        assert "kept for the rest" in room.why

    def test_the_users_limit_is_taken_as_it_is(self) -> None:
        assert room_for_models(self.machine, gpu_bytes=GB, limit_gb=10).bytes == 10 * GB

    def test_a_gpu_adds_its_memory(self) -> None:
        more = room_for_models(self.machine, gpu_bytes=24 * GB)

        assert more.bytes == room_for_models(self.machine).bytes + 24 * GB

    def test_a_gpu_that_shares_the_memory_takes_a_part_of_it(self) -> None:
        apple = Machine(8, 8, 64 * GIB, 63 * GIB, unified_gpu=True)

        assert room_for_models(apple).bytes == round(64 * GIB * 0.7)

    def test_there_is_never_less_than_nothing(self) -> None:
        assert room_for_models(Machine(1, 1, GIB, GIB // 2)).bytes == 0

    async def test_memory_is_measured_when_asked(self) -> None:
        watch = MemoryWatch(measure=lambda: (self.machine, 0))
        assert watch.room is None

        room = await watch.refresh()

        assert watch.room == room

    def test_without_a_driver_there_is_no_gpu(self) -> None:
        def load(name: str) -> Any:
            raise OSError(name)

        assert free_gpu_bytes(load) == 0

    def test_the_drivers_library_is_asked_for_each_gpu(self) -> None:
        library = FakeNvml([10 * GIB, 20 * GIB])

        assert free_gpu_bytes(lambda name: library) == 30 * GIB
        assert library.shut_down


class FakeNvml:
    """The calls of NVIDIA's management library that are used."""

    def __init__(self, free: list[int]) -> None:
        self.free = free
        self.shut_down = False

    def nvmlInit_v2(self) -> int:  # noqa: N802
        return 0

    def nvmlShutdown(self) -> int:  # noqa: N802
        self.shut_down = True
        return 0

    def nvmlDeviceGetCount_v2(self, count: Any) -> int:  # noqa: N802
        ctypes.cast(count, ctypes.POINTER(ctypes.c_uint))[0] = len(self.free)
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, index: int, device: Any) -> int:  # noqa: N802
        ctypes.cast(device, ctypes.POINTER(ctypes.c_void_p))[0] = index + 1
        return 0

    def nvmlDeviceGetMemoryInfo(self, device: ctypes.c_void_p, memory: Any) -> int:  # noqa: N802
        numbers = ctypes.cast(memory, ctypes.POINTER(ctypes.c_ulonglong))
        numbers[1] = self.free[(device.value or 0) - 1]
        return 0


class TestTable:
    large = Machine(16, 16, 64 * GIB, 60 * GIB)

    def test_a_70b_at_q8_on_64_gb_is_told_why_not_and_what_instead(self) -> None:
        rows = fit_table(room_for_models(self.large))

        row = next(r for r in rows if "70B" in r.model.id and r.model.quantization == "Q8_0")
        assert not row.verdict.fits
        assert "75.0 GB for the weights" in row.verdict.why
        assert "57.6 GB may be used" in row.verdict.why
        assert "Q4_K_M of the same 70.6B model would fit" in row.verdict.remedy

    def test_models_that_are_served_here_come_first(self) -> None:
        here, there = model("mine"), model("theirs", "team", Zone.NETWORK)

        rows = fit_table(room_for_models(self.large), [there, here])

        assert rows[0].model is here
        assert all(row.model is not there for row in rows)

    def test_each_task_gets_a_recommendation_with_its_numbers(self) -> None:
        recommended = {
            each.kind: each for each in recommend(room_for_models(self.large), self.large, True)
        }

        assert set(recommended) == set(TaskKind)
        completion = recommended[TaskKind.COMPLETION]
        assert (completion.model, completion.quantization) == (
            "Qwen2.5-Coder-7B-Instruct",
            "Q4_K_M",
        )
        refactor = recommended[TaskKind.REFACTOR]
        assert (refactor.model, refactor.quantization) == ("Llama-3.1-70B-Instruct", "Q4_K_M")
        assert "75.0 GB for the weights" in refactor.why
        assert all("GB" in each.why for each in recommended.values())

    def test_a_small_machine_without_a_gpu_gets_a_completion_model_that_is_quick(self) -> None:
        small = Machine(2, 2, 16 * GIB, 14 * GIB)

        completion = next(
            each
            for each in recommend(room_for_models(small), small, False)
            if each.kind is TaskKind.COMPLETION
        )

        assert completion.model == "Qwen2.5-Coder-1.5B-Instruct"
        assert "too slow" in completion.why

    def test_a_machine_that_holds_nothing_is_told_so(self) -> None:
        tiny = Machine(1, 1, GIB, GIB)

        assert {each.model for each in recommend(room_for_models(tiny), tiny, False)} == {None}
