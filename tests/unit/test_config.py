"""Settings: named by stage, checked where they are read, told in the provenance."""

from __future__ import annotations

import pytest

from latemiles.cli.main import main
from latemiles.config import Config
from latemiles.errors import ConfigError
from latemiles.session.settings import chosen_units, load_config
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


def test_another_setting_of_the_splits_leaves_their_length_to_the_units(tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text("[pipeline.monitor.splits]\nleast_last_s = 5.0\n")
    splits = load_config(path, "metric").monitor.splits
    assert (splits.length_m, splits.least_last_s) == (KILOMETRE_M, 5.0)


def test_units_are_those_asked_for_then_those_of_the_settings_then_metric(tmp_path):
    path = tmp_path / "settings.toml"
    assert chosen_units(path, None) == "metric"
    path.write_text('units = "mile"\n')
    assert chosen_units(path, None) == "mile"
    assert chosen_units(path, "metric") == "metric"
    path.write_text('units = "furlong"\n')
    with pytest.raises(ConfigError, match="metric or mile"):
        chosen_units(path, None)
    assert main(["--home", str(tmp_path), "report", "last", "--units", "furlong"]) == 2
