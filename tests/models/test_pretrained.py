"""Published weights come from the cache or are downloaded; else their name and place are told."""

import contextlib
import hashlib
import http.server
import socket
import threading

import pytest

from fer_jax.errors import DataError
from fer_jax.models import pretrained
from fer_jax.models.pretrained import WeightsFile

CONTENT = b"weights" * 1000
MD5 = hashlib.md5(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Sends CONTENT; `/short` half of what it announces, `/missing` nothing."""

    def do_GET(self):
        if self.path.startswith("/missing"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[: len(CONTENT) // 2] if self.path.startswith("/short") else CONTENT)

    def log_message(self, *_):
        pass


@pytest.fixture
def served(monkeypatch, tmp_path):
    """served(folder, md5) makes a file of ours VGG19's published one; the cache is empty."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("FER_JAX_CACHE", str(tmp_path / "cache"))

    def one(folder, md5=MD5):
        address = f"http://127.0.0.1:{server.server_address[1]}/{folder}"
        monkeypatch.setitem(pretrained.FILES, "vgg19", WeightsFile(address, "file.h5", md5))
        return f"{address}/file.h5"

    yield one
    server.shutdown()
    thread.join()
    server.server_close()


def failure(place, url):
    """Why the file could not be downloaded; nothing may be left of it."""
    with pytest.raises(DataError) as error:
        pretrained.find("vgg19")
    start, end = "weights file.h5 cannot be downloaded (", f"): fetch {url} on another machine and put it at {place}"
    message = str(error.value)
    assert message.startswith(start) and message.endswith(end) and "\n" not in message
    assert list(place.parent.iterdir()) == []
    return message.removeprefix(start).removesuffix(end)


def test_a_file_is_downloaded_once_into_the_cache(served, tmp_path, capsys):
    url = served("whole")
    place = tmp_path / "cache" / "weights" / "file.h5"
    assert pretrained.find("vgg19") == place and place.read_bytes() == CONTENT
    assert capsys.readouterr().err == f"fer_jax: downloading {url}\n"
    assert place.stat().st_mode & 0o777 == 0o644 and list(place.parent.iterdir()) == [place]
    served("missing")
    assert pretrained.find("vgg19") == place
    assert pretrained.checksum(place) == hashlib.sha256(CONTENT).hexdigest()


def test_a_file_without_a_known_checksum_is_taken(served, tmp_path):
    served("whole", "")
    assert pretrained.find("vgg19").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("folder", "md5", "problem"),
    [
        ("whole", "0" * 32, f"its MD5 is {MD5} instead of {'0' * 32}"),
        ("short", MD5, "3,500 of 7,000 bytes came"),
        ("missing", MD5, "Not Found"),
    ],
)
def test_what_comes_damaged_or_not_at_all_is_not_kept(served, tmp_path, folder, md5, problem):
    url = served(folder, md5)
    assert failure(tmp_path / "cache" / "weights" / "file.h5", url) == problem


def test_without_a_network_the_file_its_address_and_its_place_are_named(monkeypatch, tmp_path):
    monkeypatch.setenv("FER_JAX_CACHE", str(tmp_path))

    def refuse(*_, **__):
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    with contextlib.ExitStack() as stack:
        monkeypatch.setattr(socket, "getaddrinfo", refuse)
        stack.callback(monkeypatch.undo)
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
        with pytest.raises(DataError) as error:
            pretrained.find("mobilenet_v2")
    name = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"
    assert str(error.value) == (
        f"weights {name} cannot be downloaded ([Errno -3] Temporary failure in name resolution): fetch "
        f"https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v2/{name} on another machine "
        f"and put it at {tmp_path}/weights/{name}"
    )


def test_a_cache_that_cannot_be_written_is_one_line(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("FER_JAX_CACHE", str(tmp_path / "file"))
    with pytest.raises(
        DataError, match="^cannot write the data cache .*; make room or choose another with FER_JAX_CACHE="
    ):
        pretrained.find("vgg19")


def test_a_file_of_ones_own_must_be_there(tmp_path):
    with pytest.raises(DataError, match=f"^weights {tmp_path}/own.h5: no such file$"):
        pretrained.find("vgg19", str(tmp_path / "own.h5"))
    (tmp_path / "own.h5").touch()
    assert pretrained.find("vgg19", str(tmp_path / "own.h5")) == tmp_path / "own.h5"
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        pretrained.checksum(tmp_path)


def test_addresses_and_checksums_are_those_of_keras():
    """Keras' own modules state them."""
    import inspect

    from keras.src.applications import efficientnet, mobilenet_v2, resnet, resnet_v2, vgg19

    assert pretrained.FILES["vgg19"].url == vgg19.WEIGHTS_PATH_NO_TOP and pretrained.FILES[
        "vgg19"
    ].md5 in inspect.getsource(vgg19)
    file = pretrained.FILES["resnet50_v2"]
    assert file.folder == resnet.BASE_WEIGHTS_PATH.rstrip("/") and file.md5 == resnet.WEIGHTS_HASHES["resnet50v2"][1]
    assert inspect.getsource(resnet_v2).count('"resnet50v2"') >= 1
    file = pretrained.FILES["efficientnet_b0"]
    assert (
        file.folder == efficientnet.BASE_WEIGHTS_PATH.rstrip("/") and file.md5 == efficientnet.WEIGHTS_HASHES["b0"][1]
    )
    assert pretrained.FILES["mobilenet_v2"].folder == mobilenet_v2.BASE_WEIGHT_PATH.rstrip("/")
