"""What holds for every decision."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from ringfence.backends.values import Model, Role
from ringfence.config.settings import PreferredModels, RoutingSettings
from ringfence.privacy import Zone
from ringfence.routing.decision import Decision
from ringfence.routing.explain import as_json, as_text
from ringfence.routing.filters import margin, usable_context
from ringfence.routing.health import HealthSnapshot
from ringfence.routing.router import Router, choose
from ringfence.routing.task import Task, TaskKind
from tests.routing.fakes import facts, model

GB = 10**9


zones = st.sampled_from(Zone)
models = st.builds(
    model,
    id=st.sampled_from(["a:1b", "b:7b", "c:70b", "d"]),
    backend=st.sampled_from(["one", "two", "three"]),
    zone=zones,
    parameters=st.sampled_from([None, "1B", "8B", "70B"]),
    quantization=st.sampled_from([None, "Q4_K_M", "Q8_0", "odd"]),
    context=st.sampled_from([None, 2048, 8192, 200_000]),
    fills=st.booleans(),
    tools=st.sampled_from([None, True, False]),
    json_schema=st.sampled_from([None, True, False]),
    loaded=st.sampled_from([None, True, False]),
    roles=st.frozensets(st.sampled_from(Role)),
)
model_sets = st.lists(models, max_size=8, unique_by=lambda each: (each.backend, each.id))
tasks = st.builds(
    Task,
    kind=st.sampled_from(TaskKind),
    prompt_tokens=st.integers(0, 300_000),
    output_tokens=st.integers(1, 4000),
    allow=zones,
    tools=st.integers(0, 12),
    json_schema=st.booleans(),
)
healths = st.builds(
    HealthSnapshot, down=st.dictionaries(st.sampled_from(["one", "two"]), st.just("It is down."))
)
rooms = st.sampled_from([None, 0, 2 * GB, 60 * GB])
routing = st.builds(
    RoutingSettings,
    local=st.builds(
        PreferredModels,
        default=st.sampled_from([None, "a:1b", "c:70b"]),
        high_precision=st.sampled_from([None, "c:70b"]),
    ),
)


@settings(max_examples=300, deadline=None)
@given(tasks, model_sets, healths, rooms, routing)
def test_every_decision_stays_in_the_ring_and_accounts_for_every_model(
    the_task: Task,
    served: list[Model],
    health: HealthSnapshot,
    room: int | None,
    configured: RoutingSettings,
) -> None:
    known = facts(*served, settings=configured, health=health, room=room)

    answer = choose(the_task, known)

    chain = answer.chain if isinstance(answer, Decision) else ()
    assert all(each.zone <= the_task.allow for each in chain)
    assert len(set(chain)) == len(chain)
    assert all(each.why and each.filter for each in answer.rejected)
    accounted = {(each.backend, each.model) for each in answer.rejected}
    accounted |= {(each.backend, each.id) for each in chain}
    assert accounted >= {(each.backend, each.id) for each in served}
    assert answer.reason
    assert choose(the_task, known) == answer
    if isinstance(answer, Decision):
        prompt = answer.part_tokens if answer.part_tokens is not None else the_task.prompt_tokens
        for each in chain:
            window = usable_context(each, configured.max_local_context_tokens)
            assert prompt + the_task.output_tokens + margin(the_task.kind) <= window
    else:
        assert answer.remedy


@settings(max_examples=100, deadline=None)
@given(tasks, model_sets)
def test_an_explanation_names_every_rejected_model(the_task: Task, served: list[Model]) -> None:
    answer = Router(lambda: facts(*served)).decide(the_task)

    text, values = as_text(the_task, answer), as_json(the_task, answer)

    assert json.loads(json.dumps(values)) == values
    for each in answer.rejected:
        assert each.why in text
        assert each.model in text
    assert answer.reason == values["reason"]
