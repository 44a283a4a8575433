"""Which attribute of Bunce a column feeds."""

from __future__ import annotations

import pytest

from dlt_bunce.records.values.target_matching import fault_of, match_targets
from dlt_bunce.records.values.targets import FoundTargets


@pytest.mark.parametrize("existing", ["Plan", "plan ", "P lan"])
def test_no_attribute_is_created_beside_one_of_nearly_its_name(existing: str) -> None:
    listing = {"attributes": [{"id": "1", "name": existing, "data_type": "text"}]}

    found = match_targets({"attributes": {"tier": "plan"}}, listing, {"tier": "text"}, create=True)

    fault = fault_of(FoundTargets(tuple(found), {"attributes": [existing]}))
    assert fault is not None
    assert str(fault).startswith(f"The attribute 'plan' would be created beside {existing!r}. ")
    assert f"Did you mean {existing!r}? Use --attribute " in fault.remedy
    assert "create 'plan' in Bunce's dashboard" in fault.remedy


@pytest.mark.parametrize("create", [True, False])
def test_what_is_to_be_given_in_place_of_all_columns_is_said_to_be_all_of_them(
    create: bool,
) -> None:
    """One attribute named in place of "*" would be the only one that is fed."""
    listing = {"attributes": [{"id": "1", "name": "Plan", "data_type": "text"}]}
    everything = {"attributes": {"plan": "plan", "tier": "tier"}}
    renamed = {"attributes": {"plan": "plan", "tier": "Tier"}}

    remedies = []
    for wanted in (everything, renamed):
        found = match_targets(wanted, listing, {}, create=create)
        fault = fault_of(FoundTargets(tuple(found), {"attributes": ["Plan"]}))
        assert fault is not None
        remedies.append((fault.remedy, found[0].remedy))

    told = "name each of the others as well, in place of it"
    assert all(told in remedy for remedy in remedies[0])
    assert not any(told in remedy for remedy in remedies[1])


def test_a_remedy_for_a_segment_says_nothing_of_attributes() -> None:
    there = [{"id": name, "name": name, "data_type": "text"} for name in ("plan", "tier")]
    listing = {"attributes": there, "segments": [{"id": "1", "name": "VIP"}]}
    wanted = {"attributes": {"plan": "plan", "tier": "tier"}, "segments": {"vip": "Vip"}}

    found = match_targets(wanted, listing, {"vip": "bool"}, create=False)
    fault = fault_of(FoundTargets(tuple(found), {"segments": ["VIP"]}))

    assert fault is not None
    for remedy in (fault.remedy, found[-1].remedy):
        assert "--segment vip=VIP" in str(remedy)
        assert "in place of it" not in str(remedy)


def test_two_attributes_of_nearly_one_name_are_fed_if_bunce_has_both_and_not_created() -> None:
    wanted = {"attributes": {"a": "Plan", "b": "plan"}}
    there = [{"id": name, "name": name, "data_type": "text"} for name in ("Plan", "plan")]

    both = match_targets(wanted, {"attributes": there}, {}, create=True)
    new = match_targets(wanted, {"attributes": []}, {}, create=True)

    assert [item.state for item in both] == ["exists", "exists"]
    assert [item.state for item in new] == ["to_create", "alike"]
