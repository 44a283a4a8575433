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


def test_two_attributes_of_nearly_one_name_are_fed_if_bunce_has_both_and_not_created() -> None:
    wanted = {"attributes": {"a": "Plan", "b": "plan"}}
    there = [{"id": name, "name": name, "data_type": "text"} for name in ("Plan", "plan")]

    both = match_targets(wanted, {"attributes": there}, {}, create=True)
    new = match_targets(wanted, {"attributes": []}, {}, create=True)

    assert [item.state for item in both] == ["exists", "exists"]
    assert [item.state for item in new] == ["to_create", "alike"]
