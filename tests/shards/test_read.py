"""Reading rows of a build: names that it does not have."""

import json

import pytest

from cmtp.errors import UsageError
from cmtp.shards.read import Wanted, sample_rows


def test_a_reason_of_another_stage_is_refused_with_those_of_the_stage(tmp_path):
    def stage(name, **rejected):
        return {"stage": name, "ledger": [{"source": "garden", "relation": "title_body", "rejected": rejected}]}

    stages = [stage("dedup", same_query=3), stage("filter", near_duplicate=1, too_short=2)]
    tables = {"pairs": {}, "rejects/dedup": {}, "rejects/filter": {}}
    (tmp_path / "manifest.json").write_text(json.dumps({"stages": stages, "tables": tables}))
    with pytest.raises(UsageError, match=r"^--reason near_duplicate: in stage dedup this build has same_query$"):
        sample_rows(str(tmp_path), Wanted(stage="dedup", reason="near_duplicate"), 1, 0)
    with pytest.raises(UsageError, match=r"this build has near_duplicate, same_query, too_short$"):
        sample_rows(str(tmp_path), Wanted(reason="language"), 1, 0)
