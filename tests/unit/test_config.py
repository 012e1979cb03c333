"""Settings: named by stage, checked where they are read, told in the provenance."""

from __future__ import annotations

import pytest

from latemiles.config import Config
from latemiles.errors import ConfigError
from latemiles.session.settings import load_config
from latemiles.trends.splits import KILOMETRE_M, MILE_M


def test_the_defaults_change_nothing():
    assert Config.from_mapping({}).changed() == {}


def test_a_changed_setting_is_named_by_its_tables():
    config = Config.from_mapping({"align": {"bridge_s": 0.02}, "monitor": {"splits": {"length_m": 400}}})
    assert config.align.bridge_s == 0.02
    assert config.changed() == {"align.bridge_s": "0.02", "monitor.splits.length_m": "400.0"}


@pytest.mark.parametrize(
    "tables",
    [{"allign": {}}, {"align": {"bridge": 1.0}}, {"align": 3}, {"align": {"bridge_s": "long"}}],
    ids=["unknown table", "unknown setting", "no table", "wrong kind"],
)
def test_a_setting_that_cannot_be_used_is_refused_by_name(tables):
    with pytest.raises(ConfigError) as caught:
        Config.from_mapping(tables)
    assert caught.value.exit_status == 2
    assert str(caught.value).endswith(".")


def test_units_choose_the_split_and_the_file_goes_before_them(tmp_path):
    path = tmp_path / "settings.toml"
    assert load_config(path, "metric").monitor.splits.length_m == KILOMETRE_M
    assert load_config(path, "mile").monitor.splits.length_m == MILE_M
    path.write_text("[pipeline.monitor.splits]\nlength_m = 400.0\n")
    assert load_config(path, "mile").monitor.splits.length_m == 400.0
    path.write_text("[pipeline.monitor\n")
    with pytest.raises(ConfigError, match="TOML"):
        load_config(path, "mile")
