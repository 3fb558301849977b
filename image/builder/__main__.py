"""`python3 -m builder --deb FILE --out FOLDER`, called by `./build.sh image`."""

import argparse
import fcntl
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from builder import namespace, papers
from builder.card import fill_firmware, make_card
from builder.description import IMAGE, Description, read_description
from builder.kernels import KernelsError, kernels_tar
from builder.root import kept_tar, pack, root_tar, unpacked
from builder.sources import NoMirrorError
from builder.system import install_program, make_system
from builder.telling import tell

PROJECT = IMAGE.parent
BUILD = PROJECT / "build/image"

EX_UNAVAILABLE = 69


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="./build.sh image")
    parser.add_argument("--sqlite", action="store_true", help="without MariaDB")
    parser.add_argument("--out", type=Path, default=PROJECT / "dist", help="folder; dist/")
    parser.add_argument(
        "--url",
        metavar="ADDRESS",
        help="folder in the web that the image will be published in, for Raspberry Pi Imager's list",
    )
    parser.add_argument("--deb", type=Path, required=True, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.url is not None:
        try:
            asked.url = papers.web_folder(asked.url)
        except ValueError as error:
            parser.error(str(error))
    return asked


def main() -> int:
    """Make the image; inside the namespace all of it, outside only that."""
    asked = arguments()
    if not namespace.inside():
        return _alone([sys.executable, "-m", "builder", *sys.argv[1:]])
    try:
        namespace.register_emulator()
        _make(asked)
    except (namespace.NoEmulatorError, NoMirrorError, KernelsError, ValueError) as error:
        tell(f"The image was not made: {error}.", f"未能生成镜像：{error}。")
        return EX_UNAVAILABLE
    except subprocess.CalledProcessError as error:
        name = Path(str(error.cmd[0])).name if isinstance(error.cmd, list) else error.cmd
        tell(
            f"The image was not made: {name} failed (exit code {error.returncode}), its words are above.",
            f"未能生成镜像：{name} 出错（退出码 {error.returncode}），原因见上文。",
        )
        return EX_UNAVAILABLE
    return 0


def _alone(program: list[str]) -> int:
    """Run the build in its namespace, one at a time."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        environment = {"SOURCE_DATE_EPOCH": os.environ.get("SOURCE_DATE_EPOCH") or _last_commit()}
        return namespace.run_inside(program, {**environment, "PYTHONPATH": str(IMAGE)})


def _last_commit() -> str:
    words = ["git", "-C", str(PROJECT), "log", "-1", "--format=%ct"]
    answer = subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()
    return answer or str(int((PROJECT / "CHANGELOG.md").stat().st_mtime))


def _make(asked: argparse.Namespace) -> None:
    description = read_description()
    epoch = int(os.environ["SOURCE_DATE_EPOCH"])
    variant = "-sqlite" if asked.sqlite else ""
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    image = BUILD / f"minisipserver-{version}{variant}-arm64.img"
    tar = _with_program(description, asked)
    firmware = BUILD / "firmware"
    shutil.rmtree(firmware, ignore_errors=True)
    tell("Making the system ...", "正在生成系统……")
    with unpacked(tar, BUILD) as root:
        make_system(root)
        fill_firmware(root / "boot/firmware", firmware)
        for path in (root / "boot/firmware").iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        parts = papers.debian_parts(root) + papers.python_parts(root)
        tell("Making the card ...", "正在生成存储卡镜像……")
        make_card(description.partitions, firmware, root, image, epoch)
    shutil.rmtree(firmware)
    made = _compress(image, asked.out, version, epoch)
    papers.write_sum(made)
    papers.write_manifest(made, asked.url)
    papers.write_parts(made, parts)
    papers.write_notes(made, parts, description.system.name)
    size = made.path.stat().st_size / 1e6
    tell(f"Made {made.path}, {size:.0f} MB.", f"已生成 {made.path}（{size:.0f} MB）。")


def _with_program(description: Description, asked: argparse.Namespace) -> Path:
    """Return the tar of the root with Debian's packages and ours."""
    groups = ("base",) if asked.sqlite else ("base", "mariadb")
    tell(
        "Debian's packages for the image (the first time this takes half an hour, later nothing) ...",
        "正在准备镜像所需的 Debian 软件包（首次约半小时，之后直接使用缓存）……",
    )
    below = root_tar(description, groups, BUILD)

    def add(tar: Path) -> None:
        tell("Compiling the media engine ...", "正在编译媒体引擎……")
        compiled = kernels_tar(description, BUILD)
        tell("Installing the exchange ...", "正在安装交换机……")
        with unpacked(below, BUILD) as root:
            install_program(root, description, asked.deb, compiled)
            pack(root, tar)

    inputs = [below.name, papers.sha256(asked.deb), description.kernels]
    return kept_tar(f"root-program-{groups[-1]}", inputs, BUILD, add)


def _compress(image: Path, out: Path, version: str, epoch: int) -> papers.Made:
    """Pack the image into `out`; what is left beside it stays for the boot test."""
    tell("Compressing ...", "正在压缩……")
    out.mkdir(parents=True, exist_ok=True)
    target = out / f"{image.name}.xz"
    part = target.with_suffix(".part")
    # The blocks' size fixed: the same bytes on a machine with more processors.
    with part.open("wb") as file:
        words = ["xz", "-6", "--threads=0", "--block-size=24MiB", "--stdout", str(image)]
        subprocess.run(words, check=True, stdout=file)
    part.replace(target)
    return papers.Made(target, version, image.stat().st_size, papers.sha256(image), epoch)


if __name__ == "__main__":
    sys.exit(main())
