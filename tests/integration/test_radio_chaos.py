"""Any mixture of what can happen to a radio, by chance: what is not heard is booked, and all come back.

`make chaos` plays a hundred of them; a change plays a few.
"""

from __future__ import annotations

import os

import pytest

from reference.radio_runs import act
from reference.storm import check_all_is_told, storm

SEEDS = range(int(os.environ.get("LATEMILES_CHAOS", "2")))


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_the_radio_does_every_sample_is_heard_or_booked_as_lost(seed):
    check_all_is_told(act(lambda: storm(seed)))
