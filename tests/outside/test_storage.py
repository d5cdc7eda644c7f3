from __future__ import annotations

import hashlib
import io
import stat

import pytest

from review_flow.errors import NotFound
from review_flow.outside.storage import LocalStorage, MemoryStorage, ObjectStorage, keep, key_of, read, storage_at

CONTENT = bytes(range(256)) * 12_000  # about 3 MB: more than one piece
SHA = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(params=["local", "memory", "url"])
def storage(request, tmp_path):
    places = {
        "local": lambda: storage_at(tmp_path / "kept"),
        "memory": MemoryStorage,
        "url": lambda: storage_at("memory:///"),
    }
    return places[request.param]()


def test_a_content_is_kept_under_its_own_hash(storage, tmp_path):
    file = tmp_path / "x.bin"
    file.write_bytes(CONTENT)
    for content in (CONTENT, file, io.BytesIO(CONTENT)):
        kept = keep(storage, content)
        assert (kept.key, kept.sha256, kept.size_bytes) == (f"{SHA[:2]}/{SHA}", SHA, len(CONTENT))
    assert read(storage, key_of(SHA)) == CONTENT


def test_an_empty_file_is_a_file(storage):
    assert read(storage, keep(storage, b"").key) == b""


def test_put_takes_bytes_paths_and_streams_and_overwrites_what_was_torn(storage, tmp_path):
    file = tmp_path / "x.bin"
    file.write_bytes(CONTENT)
    for content in (CONTENT, file, io.BytesIO(CONTENT)):
        storage.put("aa/whole", b"torn")
        storage.put("aa/whole", content)
        assert read(storage, "aa/whole") == CONTENT


def test_open_reads_anywhere_in_the_file(storage):
    storage.put("aa/b", CONTENT)
    with storage.open("aa/b") as file:
        assert file.seek(-3, io.SEEK_END) == len(CONTENT) - 3
        assert file.read() == b"\xfd\xfe\xff"
        assert file.seek(256) == 256
        assert file.read(2) == b"\x00\x01"
        assert file.tell() == 258
        assert (file.readable(), file.seekable(), file.writable()) == (True, True, False)


def test_path_gives_a_file_to_read(storage):
    storage.put("aa/b", CONTENT)
    with storage.path("aa/b") as path:
        assert path.read_bytes() == CONTENT
    assert path.exists() is isinstance(storage, LocalStorage)


def test_what_is_not_there_is_refused_and_deleting_it_is_no_error(storage):
    storage.put("aa/b", b"x")
    storage.delete("aa/b")
    storage.delete("aa/b")
    with pytest.raises(NotFound, match="找不到文件“aa/b”。"):
        storage.open("aa/b")
    with pytest.raises(NotFound), storage.path("aa/b"):
        pass


def test_the_folder_is_closed_to_others_and_keys_stay_inside(tmp_path):
    folder = tmp_path / "kept"
    folder.mkdir(mode=0o755)
    storage = LocalStorage(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    with pytest.raises(ValueError, match="illegal"):
        storage.put("../outside", b"x")
    with pytest.raises(ValueError, match="illegal"):
        storage.open("../outside")
    assert list(tmp_path.iterdir()) == [folder]


def test_a_failing_stream_leaves_nothing(tmp_path):
    class Torn(io.RawIOBase):
        def readable(self):
            return True

        def read(self, _size=-1):
            raise OSError("the line is dead")

    storage = LocalStorage(tmp_path / "kept")
    with pytest.raises(OSError, match="the line is dead"):
        keep(storage, Torn())
    assert list((tmp_path / "kept").rglob("*")) == []


def test_a_string_without_a_scheme_is_a_folder(tmp_path):
    assert isinstance(storage_at(str(tmp_path / "a")), LocalStorage)
    assert type(storage_at("memory:///")) is ObjectStorage
