"""The file format: files that were written are read back, and all others are rejected."""

import json
import os
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fastridge.io import archive as _archive
from fastridge.io.archive import FORMAT_VERSION, read_archive, read_header, write_archive

KIND = "example"
META = {"n": 3, "name": "Größe ✈ 航班", "list": [1.5, None, True]}
ARRAYS = {
    "x": np.arange(6.0).reshape(2, 3),
    "größe": np.array([1, 2, 3], dtype=np.int16),
    "none": np.zeros((0, 4), dtype=np.float32),
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file.fastridge"


@pytest.fixture
def written(path):
    write_archive(path, KIND, META, ARRAYS)
    return path


def forge(path, edit=None, arrays=None, compression=zipfile.ZIP_STORED, members=None):
    """Write a well-sealed file with a header that `edit` has changed, as an attacker could."""
    write_archive(path, KIND, META, ARRAYS if arrays is None else arrays)
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    header = json.loads(contents[_archive.HEADER_MEMBER])
    if edit is not None:
        header = edit(header) or header
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    contents[_archive.HEADER_MEMBER] = text
    contents.update(members or {})
    with open(path, "w+b") as file:
        with zipfile.ZipFile(file, "w", compression) as archive:
            for name, content in contents.items():
                archive.writestr(name, content)
            archive.comment = _archive._SEAL + b"0" * 64
        _archive._write_seal(file)
    return path


def refusal(path, kind=KIND):
    """The message with which a file is refused; it names the file."""
    with pytest.raises(ValueError, match=r"file\.fastridge") as caught:
        read_archive(path, kind)
    return str(caught.value)


def test_round_trip_keeps_values(written):
    meta, arrays = read_archive(written, KIND)
    assert meta == META
    assert list(arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array, strict=True)
        assert arrays[name].flags.writeable


@given(
    array=hnp.arrays(
        dtype=st.sampled_from(["?", "i1", "<i4", ">i4", "u8", "f2", "<f8", ">f8", "c16"]),
        shape=hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    ),
    fortran=st.booleans(),
)
def test_round_trip_of_every_dtype_shape_and_order_is_exact(tmp_path_factory, array, fortran):
    path = tmp_path_factory.mktemp("archive") / "a"
    array = np.asarray(array, order="F" if fortran else "C")
    write_archive(path, KIND, {}, {"a": array})
    found = read_archive(path, KIND)[1]["a"]
    assert found.dtype == array.dtype.newbyteorder("=")
    assert found.shape == array.shape
    assert found.tobytes() == array.astype(found.dtype).tobytes()


@pytest.mark.parametrize(
    "array",
    [np.arange(10.0)[::2], np.arange(24.0).reshape(2, 3, 4).transpose(1, 0, 2), np.float64(3.0)],
    ids=["strided", "transposed", "scalar"],
)
def test_round_trip_of_every_layout_is_exact(path, array):
    write_archive(path, KIND, {}, {"a": array})
    np.testing.assert_array_equal(read_archive(path, KIND)[1]["a"], array)


def test_round_trip_keeps_the_memory_order(path):
    write_archive(path, KIND, {}, {"a": np.asfortranarray(np.ones((3, 4)))})
    assert read_archive(path, KIND)[1]["a"].flags.f_contiguous


def test_write_archive_is_readable_by_numpy(written):
    with np.load(written, allow_pickle=False) as file:
        np.testing.assert_array_equal(file["x"], ARRAYS["x"])


def test_write_archive_of_equal_contents_gives_equal_bytes(tmp_path):
    for name in "ab":
        write_archive(tmp_path / name, KIND, META, ARRAYS)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_read_header_describes_the_file(written):
    header = read_header(written)
    assert (header["format"], header["version"], header["kind"]) == ("fastridge", 1, KIND)
    assert header["writer"].startswith("fastridge ")
    assert header["arrays"]["x"]["shape"] == [2, 3]


def test_read_archive_with_any_changed_byte_raises(written):
    good = written.read_bytes()
    for position in range(len(good)):
        damaged = bytearray(good)
        damaged[position] ^= 1 << position % 8
        written.write_bytes(damaged)
        refusal(written)


def test_read_archive_truncated_anywhere_raises(written):
    good = written.read_bytes()
    for length in range(len(good)):
        written.write_bytes(good[:length])
        refusal(written)


@pytest.mark.parametrize("where", ["before", "after", "inside"])
def test_read_archive_with_added_bytes_raises(written, where):
    good = written.read_bytes()
    half = len(good) // 2
    parts = {
        "before": b"x" + good,
        "after": good + b"x",
        "inside": good[:half] + b"x" + good[half:],
    }
    written.write_bytes(parts[where])
    refusal(written)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"a,b\n1,2\n" * 100, "not a fastridge file"),
        (b"\x80\x04\x95" + bytes(300), "not a fastridge file"),
        (b"PK\x03\x04" + bytes(300), "not a fastridge file"),
    ],
    ids=["empty", "csv", "pickle", "zip"],
)
def test_read_archive_of_a_foreign_file_raises(path, content, reason):
    path.write_bytes(content)
    assert reason in refusal(path)


def test_read_archive_of_a_foreign_npz_raises(path):
    with open(path, "wb") as file:
        np.savez(file, x=np.ones(3))
    assert "not a fastridge file" in refusal(path)


def test_read_archive_of_a_missing_file_or_folder_raises(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_archive(tmp_path / "none", KIND)
    with pytest.raises(OSError, match="None|director|denied"):
        read_archive(tmp_path, KIND)


def test_read_archive_of_another_kind_raises(written):
    assert "holds a example, not a model" in refusal(written, "model")


def test_read_archive_of_a_newer_version_raises(path):
    def newer(header):
        header.update(version=FORMAT_VERSION + 1, writer="fastridge 99.0", arrays="changed")

    message = refusal(forge(path, newer))
    assert "newer fastridge (fastridge 99.0)" in message
    assert "upgrade" in message


def edits():
    """Well-sealed headers that no version of fastridge writes."""

    def at(*keys, value):
        def edit(header):
            entry = header
            for key in keys[:-1]:
                entry = entry[key]
            if value is None:
                del entry[keys[-1]]
            else:
                entry[keys[-1]] = value

        return edit

    yield "not JSON", lambda header: b"{"
    yield "not UTF-8", lambda header: b"\xff\xfe\xfd"
    yield "too deep", lambda header: b"[" * 200_000
    yield "a list", lambda header: [header]
    yield "other format", at("format", value="pickle")
    yield "no version", at("version", value=None)
    yield "version 0", at("version", value=0)
    yield "version text", at("version", value="1")
    yield "version bool", at("version", value=True)
    yield "no kind", at("kind", value=None)
    yield "kind number", at("kind", value=3)
    yield "no meta", at("meta", value=None)
    yield "meta list", at("meta", value=[])
    yield "no arrays", at("arrays", value=None)
    yield "array missing", at("arrays", "y", value={"dtype": "<f8", "shape": [1], "sha256": ""})
    yield "array unlisted", at("arrays", "x", value=None)
    yield "no shape", at("arrays", "x", "shape", value=None)
    yield "other shape", at("arrays", "x", "shape", value=[3, 2])
    yield "huge shape", at("arrays", "x", "shape", value=[2**40, 2**40])
    yield "negative shape", at("arrays", "x", "shape", value=[-2, -3])
    yield "float shape", at("arrays", "x", "shape", value=[2.0, 3.0])
    yield "shape text", at("arrays", "x", "shape", value="ab")
    yield "object dtype", at("arrays", "x", "dtype", value="|O")
    yield "void dtype", at("arrays", "x", "dtype", value="|V8")
    yield "other dtype", at("arrays", "x", "dtype", value="<i8")
    yield "list dtype", at("arrays", "x", "dtype", value=["<f8"])
    yield "other checksum", at("arrays", "x", "sha256", value="0" * 64)
    yield "no checksum", at("arrays", "x", "sha256", value=None)
    yield "array entry null", at("arrays", "x", value=[])


@pytest.mark.parametrize("edit", [pytest.param(edit, id=name) for name, edit in edits()])
def test_read_archive_with_a_forged_header_raises(path, edit):
    refusal(forge(path, edit))


def test_read_archive_with_a_forged_pickle_runs_no_code(path):
    class Harmful:
        def __reduce__(self):
            return pytest.fail, ("the file ran code",)

    with open(path, "wb") as file:
        np.lib.format.write_array(file, np.array([Harmful()], dtype=object), allow_pickle=True)
    harmful = path.read_bytes()
    assert "x" in refusal(forge(path, members={"x.npy": harmful}))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        b"\x93NUMPY\x01\x00\x02\x00{'",
        b"\x93NUMPY\x09\x00" + bytes(200),
        bytes(200),
    ],
)
def test_read_archive_with_forged_array_members_raises(path, content):
    refusal(forge(path, members={"x.npy": content}))


@pytest.mark.parametrize("change", [-1, 1])
def test_read_archive_with_forged_array_lengths_raises(path, change):
    write_archive(path, KIND, META, ARRAYS)
    with zipfile.ZipFile(path) as archive:
        member = archive.read("x.npy")
    member = member[:-1] if change < 0 else member + b"\x00"
    refusal(forge(path, members={"x.npy": member}))


def test_read_archive_with_compressed_members_raises(path):
    refusal(forge(path, compression=zipfile.ZIP_DEFLATED))


def test_read_archive_with_unlisted_members_raises(path):
    refusal(forge(path, members={"more.npy": b""}))


@pytest.mark.parametrize(
    ("arrays", "error"),
    [
        ({"a": np.array([None])}, TypeError),
        ({"a": np.array(["text"])}, TypeError),
        ({"a": np.zeros(2, dtype=[("x", "f8")])}, TypeError),
        ({"a": np.zeros(2, dtype="datetime64[s]")}, TypeError),
        ({"a/b": np.zeros(2)}, ValueError),
        ({"../a": np.zeros(2)}, ValueError),
        ({"": np.zeros(2)}, ValueError),
    ],
)
def test_write_archive_of_an_unsupported_array_raises(path, arrays, error):
    with pytest.raises(error):
        write_archive(path, KIND, {}, arrays)
    assert os.listdir(path.parent) == []


@pytest.mark.parametrize(
    ("meta", "error"), [({"a": np.nan}, ValueError), ({"a": {1, 2}}, TypeError)]
)
def test_write_archive_of_unsupported_meta_raises(path, meta, error):
    with pytest.raises(error):
        write_archive(path, KIND, meta, {})
    assert os.listdir(path.parent) == []


@pytest.mark.parametrize("interruption", [OSError("disk full"), KeyboardInterrupt()])
def test_write_archive_interrupted_keeps_the_old_file(written, monkeypatch, interruption):
    before = written.read_bytes()

    def fail(descriptor):
        raise interruption

    monkeypatch.setattr(_archive.os, "fsync", fail)
    with pytest.raises(type(interruption)):
        write_archive(written, KIND, {}, {})
    assert written.read_bytes() == before
    assert os.listdir(written.parent) == [written.name]


def test_write_archive_through_a_link_keeps_the_link(written, tmp_path):
    link = tmp_path / "link"
    try:
        link.symlink_to(written)
    except OSError:
        pytest.skip("no symbolic links here")
    write_archive(link, KIND, {"new": 1}, {})
    assert link.is_symlink()
    assert read_archive(written, KIND)[0] == {"new": 1}


def test_write_archive_to_a_non_file_raises(tmp_path):
    with pytest.raises(OSError, match="not a regular file"):
        write_archive(tmp_path, KIND, {}, {})


def test_write_archive_to_a_missing_folder_names_it(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_archive(tmp_path / "none" / "file", KIND, {}, {})


def test_round_trip_of_lone_surrogates_and_long_names(tmp_path):
    path = tmp_path / ("n" * 240)
    write_archive(path, KIND, {"text": "\ud800"}, {})
    assert read_archive(path, KIND)[0] == {"text": "\ud800"}
