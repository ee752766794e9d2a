"""What the layers of an image tell, on an archive as the engine writes it."""

import gzip
import io
import tarfile
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from moorings.services.compose_shown import layers
from moorings.services.engine import Engine


def archive(file: Path, members: dict[str, bytes]) -> bytes:
    """Write an archive; return it."""
    with tarfile.open(file, "w") as made:
        for name, content in members.items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            made.addfile(about, io.BytesIO(content))
    return file.read_bytes()


def test_a_file_in_a_layer_is_found_packed_or_not(tmp_path: Path) -> None:
    plain = archive(tmp_path / "1.tar", {"etc/pip.conf": b"of the build"})
    packed = gzip.compress(archive(tmp_path / "2.tar", {"root/key": b"of nobody"}))

    def do(*words: str, timeout: float) -> None:
        archive(Path(words[words.index("--output") + 1]), {"a/layer.tar": plain, "blobs/b": packed})

    found = dict(layers(cast(Engine, SimpleNamespace(do=do)), "shop:1"))
    assert found.keys() == {"a/layer.tar of shop:1", "blobs/b of shop:1"}
    assert b"of the build" in found["a/layer.tar of shop:1"]
    assert b"of nobody" in found["blobs/b of shop:1"]
