"""Why something could not be done, in Chinese: the system, and the libraries, say it in English."""

import errno
import os
import socket
from contextlib import closing
from pathlib import Path

import pytest

from hw.softphone.happenings import Reason, Why
from hw.softphone.network import UdpPort, locate
from hw.softphone.settings import Asked, Saved, given_password, read_saved, save
from hw.softphone.wav import WavSink, WavSource
from hw.softphone.words import reason_in_words
from pbx.errors import StartError
from tests.media.wav_files import PCM, ULAW, chunk, form, riff

SOUND = chunk(b"data", bytes(160))


@pytest.fixture(autouse=True)
def _chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b"no sound at all", "它不是 WAV 文件"),
        (riff(chunk(b"fmt ", b""), SOUND), "文件已损坏"),
        (riff(form(PCM, 8000)), "其中没有声音"),
        (riff(form(ULAW, 8000), SOUND), "它不是 8、16、24 或 32 位的 PCM"),
        (riff(form(PCM, 8000, 9), SOUND), "它有 9 个声道"),
        (riff(form(PCM, 100), SOUND), "它每秒有 100 个采样"),
    ],
)
def test_a_file_that_cannot_be_played(tmp_path: Path, octets: bytes, why: str) -> None:
    path = tmp_path / "in.wav"
    path.write_bytes(octets)
    with pytest.raises(StartError) as caught:
        WavSource(path)
    assert caught.value.sentence == f"{path} 不是可以播放的 WAV 文件：{why}。"


def test_files_that_are_folders(tmp_path: Path) -> None:
    for work in (
        lambda: WavSource(tmp_path),
        lambda: WavSink(tmp_path),
        lambda: given_password(Asked(password_file=tmp_path)),
        lambda: read_saved(tmp_path),
    ):
        with pytest.raises(StartError, match="：这是一个目录。"):
            work()


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match="无法写入：(文件已存在|不是目录)。"):
        save(tmp_path / "file" / "x.toml", Saved("a", "b", "c"))


def test_files_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(StartError, match="无法读取：它不是 UTF-8 文本。"):
        given_password(Asked(password_file=path))
    with pytest.raises(StartError, match="无法读取：不是 TOML：.*不是 UTF-8 的字符。"):
        read_saved(path)


async def test_an_address_that_is_taken() -> None:
    def port(number: int) -> UdpPort:
        return UdpPort("127.0.0.1", number, lambda *_: None, lambda *_: None)

    refused = pytest.raises(StartError, match="无法使用 .*：地址已被占用。")
    with closing(port(0)) as first, refused:
        port(first.local.port)


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (socket.EAI_NONAME, "没有人知道这个名称"),
        (socket.EAI_AGAIN, "域名服务器没有应答"),
    ],
)
async def test_a_name_that_leads_nowhere(
    monkeypatch: pytest.MonkeyPatch, code: int, why: str
) -> None:
    def resolve(*_: object, **__: object) -> None:
        raise socket.gaierror(code, "as the C library says it")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(StartError) as caught:
        await locate("pbx.example", 5060)
    assert caught.value.sentence == f"没有主机 pbx.example：{why}。"


async def test_a_name_that_is_none() -> None:
    with pytest.raises(StartError, match="：没有人知道这个名称。"):
        await locate("x" * 64 + ".example", 5060)


@pytest.mark.parametrize("why", [Why.UNREACHABLE, Why.LOST])
def test_a_network_that_is_gone(why: Why) -> None:
    said = reason_in_words(Reason(why, phrase=os.strerror(errno.ENETUNREACH)))
    assert said.endswith(("（网络不可达）", "(网络不可达)"))
