from pathlib import Path

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from convscope.errors import ConvscopeError
from convscope.models.familiarity import FILE, Familiarity, most_images, read_familiarity


def test_distances_by_hand() -> None:
    # unit vectors at 0°, 90° and 180°; with fewer than five, the farthest one counts
    known = Familiarity(np.array([[1, 0], [0, 1], [-1, 0]], np.float16), 1.0)
    found = known.distances(np.array([[5.0, 0.0], [0.0, 0.1], [0.0, -2.0]]))
    assert found.tolist() == pytest.approx([2, 2**0.5, 2])


def test_distances_equal_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    training, others = rng.normal(size=(400, 16)), rng.normal(size=(300, 16))
    fitted = Familiarity.fit(training, others)
    unit = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in (training, others)]
    distances, _ = NearestNeighbors(n_neighbors=5).fit(unit[0]).kneighbors(unit[1])
    np.testing.assert_allclose(fitted.distances(others), distances[:, 4], atol=2e-3)  # stored as float16
    assert (fitted.distances(others) > fitted.threshold).mean() == pytest.approx(0.05, abs=1 / 300)


def test_a_familiarity_is_the_same_after_writing_and_reading(tmp_path: Path) -> None:
    assert read_familiarity(tmp_path, 4) is None
    rng = np.random.default_rng(0)
    fitted = Familiarity.fit(rng.normal(size=(20, 4)), rng.normal(size=(20, 4)))
    fitted.save(tmp_path)
    first = (tmp_path / FILE).read_bytes()
    read = read_familiarity(tmp_path, 4)
    assert read is not None
    np.testing.assert_array_equal(read.features, fitted.features)
    assert read.threshold == fitted.threshold
    fitted.save(tmp_path)
    assert (tmp_path / FILE).read_bytes() == first  # same values, same bytes


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut"])
def test_a_damaged_file_is_an_error_of_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(ConvscopeError, match=r"cannot read .*remove the file to predict without it") as error:
        read_familiarity(tmp_path, 4)
    assert "\n" not in str(error.value)


def test_pickled_features_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / FILE, features=np.array([object()]), threshold=1.0)
    with pytest.raises(ConvscopeError, match="cannot read"):
        read_familiarity(tmp_path, 4)


def test_features_of_another_model_and_odd_files_are_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    Familiarity.fit(rng.normal(size=(20, 4)), rng.normal(size=(20, 4))).save(tmp_path)
    with pytest.raises(ConvscopeError, match="does not have 5 features"):
        read_familiarity(tmp_path, 5)
    np.savez(tmp_path / FILE, features=np.ones((2, 4), np.float16), threshold=np.ones(2))
    with pytest.raises(ConvscopeError, match="cannot read"):
        read_familiarity(tmp_path, 4)
    with (tmp_path / FILE).open("wb") as file:
        np.save(file, np.ones(3))
    with pytest.raises(ConvscopeError, match="cannot read"):
        read_familiarity(tmp_path, 4)
    np.savez_compressed(tmp_path / FILE, features=np.zeros((5_000_000, 4), np.float16), threshold=1.0)
    with pytest.raises(ConvscopeError, match="expected at most 32,000,000"):
        read_familiarity(tmp_path, 4)


def test_the_number_of_stored_images_bounds_the_size() -> None:
    assert (most_images(1280), most_images(100_000), most_images(10**8)) == (5000, 80, 1)
