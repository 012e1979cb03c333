"""OpenSim's files: the body turns in OpenSim's own model as it turns here."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from latemiles.errors import InputError
from latemiles.exports import ANGLES, FORMATS
from latemiles.exports.opensim import COORDINATES, opensim_pelvis
from latemiles.signals.frames import Side, hip_quat, pelvis_quat, quat_multiply, quat_rotate
from reference.made_up_angles import GAP, with_angles

RUN = with_angles(seconds=20.0)
OURS = {"x": [1.0, 0.0, 0.0], "y": [0.0, 0.0, 1.0], "z": [0.0, -1.0, 0.0]}
"""OpenSim's axes (x forward, y up, z right) in ours (x forward, y left, z up)."""
BASIS = np.array([OURS["x"], OURS["y"], OURS["z"]]).T
LEFT_HIP = ((0, 0, 1), (-1, 0, 0), (0, -1, 0))
RIGHT_HIP = ((0, 0, 1), (1, 0, 0), (0, 1, 0))
PELVIS = ((0, 0, 1), (1, 0, 0), (0, 1, 0))
"""Axes of tilt, list, rotation and of flexion, adduction, rotation, as the models of OpenSim define them."""


def turn(axis, angle):
    """Rotation matrix about an axis, by Rodrigues' formula."""
    x, y, z = axis
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]], dtype=float)
    return np.eye(3) + np.sin(angle) * k + (1.0 - np.cos(angle)) * k @ k


def turned(axes, angles):
    """Turn about each axis of the body in order."""
    first, second, third = (turn(axis, angle) for axis, angle in zip(axes, angles, strict=True))
    return first @ second @ third


def in_opensim_axes(quat):
    """A rotation of ours as a matrix in OpenSim's axes."""
    matrix = np.stack([quat_rotate(quat, axis) for axis in np.eye(3)], axis=-1)
    return BASIS.T @ matrix @ BASIS


def read(path):
    """Header lines, labels and rows of a motion file."""
    lines = path.read_text().splitlines()
    end = lines.index("endheader")
    rows = np.array([[float(v) for v in line.split("\t")] for line in lines[end + 2 :]])
    return dict(line.split("=") for line in lines[1:end]), lines[end + 1].split("\t"), rows


def written(tmp_path, run, name="mot"):
    path = tmp_path / f"run.{name}"
    FORMATS[name].write(run, path, ANGLES)
    return path


def test_the_pelvis_and_thighs_stand_as_opensims_definition_turns_them(tmp_path):
    head, labels, rows = read(written(tmp_path, RUN))
    assert labels == ["time", *COORDINATES]
    assert head["inDegrees"] == "yes"
    for row in rows[::97]:
        k = round(row[0] * 100.0)
        if not np.isfinite(row).all():
            continue
        values = np.radians(row[1:])
        pelvis = turned(PELVIS, values[:3])
        np.testing.assert_allclose(pelvis, in_opensim_axes(pelvis_quat(RUN.pelvis[k])), atol=1e-6)
        for side, axes, angles, ours in (
            (Side.RIGHT, RIGHT_HIP, values[3:6], RUN.hip_right[k]),
            (Side.LEFT, LEFT_HIP, values[6:], RUN.hip_left[k]),
        ):
            thigh = pelvis @ turned(axes, angles)
            want = in_opensim_axes(quat_multiply(pelvis_quat(RUN.pelvis[k]), hip_quat(ours, side)))
            np.testing.assert_allclose(thigh, want, atol=1e-6)


def test_taking_the_pelvis_apart_anew_is_not_renaming():
    angles = np.radians([10.0, 9.0, 12.0])
    tilt, list_, rotation = np.degrees(opensim_pelvis(angles))
    assert abs(list_ + 9.0) > 1.0, "the list of OpenSim differs from minus Baker's obliquity"
    assert tilt < -8.0
    assert rotation > 8.0


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [([1, 0, 0], [-1, 0, 0]), ([0, 1, 0], [0, -1, 0]), ([0, 0, 1], [0, 0, 1])],
    ids=["anterior tilt", "right side up", "right side forward"],
)
def test_one_movement_alone_has_opensims_sign(ours, theirs):
    np.testing.assert_allclose(opensim_pelvis(0.2 * np.array(ours)), 0.2 * np.array(theirs), atol=1e-12)


def test_a_mirrored_runner_gives_mirrored_coordinates(tmp_path):
    mirrored = replace(RUN, pelvis=RUN.pelvis * [1, -1, -1], hip_left=RUN.hip_right, hip_right=RUN.hip_left)
    _, _, rows = read(written(tmp_path, RUN))
    _, _, back = read(written(tmp_path, mirrored))
    swap = [0, 1, 2, 3, 7, 8, 9, 4, 5, 6]
    np.testing.assert_allclose(back[:, swap] * [1, 1, -1, -1, 1, 1, 1, 1, 1, 1], rows, atol=1e-5)


def test_what_is_not_known_at_the_ends_is_cut_and_a_gap_stays_a_gap(tmp_path):
    _, _, rows = read(written(tmp_path, RUN))
    assert rows[0, 0] == pytest.approx(0.30)
    assert rows[-1, 0] == pytest.approx(19.99)
    in_gap = (rows[:, 0] > GAP.start / 100 - 0.001) & (rows[:, 0] < (GAP.stop - 0.5) / 100)
    assert np.isnan(rows[in_gap, 1:4]).all()
    assert np.isfinite(rows[~in_gap]).all()


def test_a_sensor_that_was_never_heard_has_no_columns(tmp_path):
    run = replace(RUN, hip_left=np.full_like(RUN.hip_left, np.nan))
    head, labels, _ = read(written(tmp_path, run))
    assert not [label for label in labels if label.endswith("_l")]
    assert int(head["nColumns"]) == len(labels)


def test_a_run_without_any_angle_is_refused_with_advice(tmp_path):
    nothing = np.full_like(RUN.pelvis, np.nan)
    run = replace(RUN, pelvis=nothing, hip_left=nothing, hip_right=nothing)
    with pytest.raises(InputError, match="no angle is known"):
        written(tmp_path, run)


def test_opensim_itself_poses_its_model_as_the_runner_stood(tmp_path):
    opensim = pytest.importorskip("opensim", reason="the opensim wheel is not there for this machine")
    opensim.Logger.setLevelString("Off")
    model = _model(opensim)
    state = model.initSystem()
    run = replace(RUN, pelvis=np.where(np.isfinite(RUN.pelvis), RUN.pelvis, 0.1))
    for name in ("mot", "sto"):
        table = opensim.TimeSeriesTable(str(written(tmp_path, run, name)))
        if name == "mot":
            model.getSimbodyEngine().convertDegreesToRadians(table)
        labels = [label.split("/")[-2] if "/" in label else label for label in table.getColumnLabels()]
        assert labels == list(COORDINATES)
        for at in range(0, table.getNumRows(), 400):
            k = round(table.getIndependentColumn()[at] * 100.0)
            values = table.getRowAtIndex(at).to_numpy()
            for label, value in zip(labels, values, strict=True):
                model.updCoordinateSet().get(label).setValue(state, float(value), False)
            model.realizePosition(state)
            pelvis = pelvis_quat(run.pelvis[k])
            for body, quat in (
                ("pelvis", pelvis),
                ("femur_r", quat_multiply(pelvis, hip_quat(run.hip_right[k], Side.RIGHT))),
                ("femur_l", quat_multiply(pelvis, hip_quat(run.hip_left[k], Side.LEFT))),
            ):
                got = model.getBodySet().get(body).getTransformInGround(state).R()
                matrix = [[got.asMat33().get(i, j) for j in range(3)] for i in range(3)]
                np.testing.assert_allclose(matrix, in_opensim_axes(quat), atol=1e-5)


def _model(opensim):
    """Pelvis and thighs on OpenSim's own custom joints, with the axes of its full-body models."""
    model = opensim.Model()
    parent = model.getGround()
    joints = {
        "ground_pelvis": ("pelvis", PELVIS, COORDINATES[:3]),
        "hip_r": ("femur_r", RIGHT_HIP, COORDINATES[3:6]),
        "hip_l": ("femur_l", LEFT_HIP, COORDINATES[6:]),
    }
    for name, (body_name, axes, coordinates) in joints.items():
        body = opensim.Body(body_name, 1.0, opensim.Vec3(0), opensim.Inertia(1.0))
        model.addBody(body)
        transform = opensim.SpatialTransform()
        for k, (axis, coordinate) in enumerate(zip(axes, coordinates, strict=True)):
            names = opensim.ArrayStr()
            names.append(coordinate)
            one = transform.getTransformAxis(k)
            one.setCoordinateNames(names)
            one.setAxis(opensim.Vec3(*map(float, axis)))
            one.set_function(opensim.LinearFunction(1.0, 0.0))
        joint = opensim.CustomJoint(name, parent, body, transform)
        model.addJoint(joint)
        if body_name == "pelvis":
            parent = body
    model.finalizeConnections()
    return model
