#!/usr/bin/env bash
# Sets up, starts, tests and checks miniSIPServer: `./build.sh` alone lists the verbs.
# Everything that it makes lies in .venv/ and build/ (and, for `run`, in the data folder).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
export PIP_DISABLE_PIP_VERSION_CHECK=1
PATH=$PATH:/usr/sbin:/sbin # an ordinary user's PATH has neither, and mariadbd and ip lie there
PATH=${PATH//"$PWD/.venv/bin:"/} # an active .venv is no Python to make .venv with

# Exit codes of sysexits.h: 64 wrong words, 69 not to be had, 77 not allowed.

tell() { # tell ENGLISH CHINESE: one sentence, in the language of the environment
  case ${LC_ALL:-${LC_MESSAGES:-${LANG:-}}} in
    zh*) printf 'build.sh: %s\n' "$2" >&2 ;;
    *) printf 'build.sh: %s\n' "$1" >&2 ;;
  esac
}

die() { # die CODE ENGLISH CHINESE
  tell "$2" "$3"
  exit "$1"
}

usage() {
  tell "usage: ./build.sh VERB [ARGUMENTS]" "用法：./build.sh 命令 [参数]"
  cat >&2 <<'TEXT'
  setup      make the environment (.venv) that the others use    准备运行环境
  run        start the exchange; Ctrl-C stops it                 启动交换机，Ctrl-C 停止
  test       run every test; arguments go to pytest              运行全部测试
             test interop: with programs of others, as a table   test interop：与其他程序互通
             test posts: the maker's ten posts, as a table       test posts：原厂十篇文章的条目
  check      style, types, import contracts, files               检查代码
  bench      measure calls per second and CPU per packet;        测量性能
             bench arm: what a Pi makes of the sound kernels     bench arm：树莓派上的音频内核
             bench calls: calls a second beside Asterisk         bench calls：与 Asterisk 比较每秒呼叫数
             bench media: calls' sound beside Asterisk's         bench media：与 Asterisk 等比较
             bench networks: the same over bad networks          bench networks：劣质网络下的音质
  fuzz       hand broken messages to every reader; --minutes N    模糊测试
  lock       renew requirements/*.txt; arguments go to uv        更新依赖锁定文件
  deb        make the Debian package; --arch, --python, --out    生成 Debian 安装包
  deb-test   install it into clean systems, thoroughly          在干净系统中测试安装包
  image      make the SD card image; --sqlite, --out, --url      生成 SD 卡镜像
  boot-test  boot the image in an emulator and use it; --fast    在模拟器中启动并测试镜像
TEXT
}

# --- The machine -----------------------------------------------------------------------------

check_machine() { # wheels of numba exist for 64-bit ARM and x86-64 only
  local system machine bits
  system=$(uname -s)
  [ "$system" = Linux ] || die 69 "miniSIPServer runs on Linux; this is $system." \
    "miniSIPServer 运行于 Linux；当前系统为 $system。"
  machine=$(uname -m)
  # A Raspberry Pi OS of 32 bits runs a 64-bit kernel: uname alone would believe it.
  bits=$(getconf LONG_BIT)
  case $machine:$bits in
    aarch64:64 | x86_64:64) ;;
    *) die 69 "This system is $machine with $bits-bit programs; miniSIPServer needs 64-bit ARM or x86-64: use the 64-bit edition of the system." \
      "本系统是 $machine，程序为 $bits 位；miniSIPServer 需要 64 位 ARM 或 x86-64，请使用 64 位版本的系统。" ;;
  esac
}

check_release() { # another one may do as well
  local name
  # shellcheck source=/dev/null
  name=$(. /etc/os-release 2>/dev/null && printf '%s %s' "${ID:-unknown}" "${VERSION_ID:-0}") || name="unknown 0"
  case $name in
    "debian 12"* | "debian 13"* | "ubuntu 22.04"* | "ubuntu 22.10"* | "ubuntu 2"[3-9].*) ;;
    *) tell "This system ($name) is not Debian 12, Debian 13 or Ubuntu 22.04 and later: trying all the same." \
      "本系统（$name）不是 Debian 12、Debian 13 或 Ubuntu 22.04 及以上版本，仍然尝试继续。" ;;
  esac
}

make_build() { # build/, for what is written on the way
  local path
  [ -w . ] || die 77 "You may not write to this folder, so nothing can be made here." \
    "当前用户不能写入本目录，无法在此创建文件。"
  for path in .venv build build/setup.log build/setup.lock; do
    [ ! -e "$path" ] || [ -w "$path" ] || die 77 "$path belongs to another user: remove it, or run this as that user." \
      "$path 属于其他用户：请删除它，或以该用户身份运行。"
  done
  mkdir -p build
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

apt_get() { # what it says goes to build/setup.log
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@" >>build/setup.log 2>&1
}

obtainable() { # true if apt's lists know a version of the package
  [ -n "$(apt-cache madison "$1" 2>/dev/null)" ]
}

install_packages() { # install_packages NAME...: a|b is b where the distribution has no a
  local list="${*%%|*}" wanted chosen name names=() absent=()
  make_build
  command -v apt-get >/dev/null ||
    die 69 "Missing: $list (Debian's names); this system has no apt-get, so please install them by its own means." \
      "缺少 $list（Debian 的软件包名）；本系统没有 apt-get，请用系统自己的方式安装。"
  [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null ||
    die 77 "Missing: $list; neither root nor sudo is at hand to install them, so please have them installed with 'apt-get install' by an administrator." \
      "缺少 $list；当前用户不是 root，也没有 sudo，请让管理员用 apt-get install 安装。"
  tell "Installing the packages $list ..." "正在安装软件包 $list ……"
  for wanted; do
    for name in ${wanted//|/ }; do obtainable "$name" && continue 2; done
    # Old or no package lists: the one reason to fetch them.
    apt_get update || tell "The package lists could not be renewed: going on with the old ones." \
      "无法更新软件包列表，使用旧列表继续。"
    break
  done
  for wanted; do
    chosen=
    for name in ${wanted//|/ }; do
      [ -n "$chosen" ] || ! obtainable "$name" || chosen=$name
    done
    if [ -n "$chosen" ]; then names+=("$chosen"); else absent+=("$wanted"); fi
  done
  [ ${#absent[@]} -eq 0 ] || tell "This system's package sources do not have: ${absent[*]}." \
    "本系统的软件源中没有：${absent[*]}。"
  [ ${#names[@]} -gt 0 ] || return 0
  apt_get install -y --no-install-recommends "${names[@]}" ||
    { apt_get update && apt_get install -y --no-install-recommends "${names[@]}"; } ||
    die 69 "Could not install ${names[*]}: $(tail -n 1 build/setup.log) (all of it is in build/setup.log)." \
      "无法安装 ${names[*]}：$(tail -n 1 build/setup.log)（全部输出见 build/setup.log）。"
}

need_programs() { # need_programs PROGRAM:PACKAGE...
  local pair packages=()
  for pair; do
    command -v "${pair%%:*}" >/dev/null || packages+=("${pair#*:}")
  done
  [ ${#packages[@]} -eq 0 ] || install_packages "${packages[@]}"
}

need_libraries() { # need_libraries SONAME:PACKAGE...
  local pair known packages=()
  known=$(ldconfig -p)
  for pair; do
    grep -qF "${pair%%:*} " <<<"$known" || packages+=("${pair#*:}")
  done
  [ ${#packages[@]} -eq 0 ] || install_packages "${packages[@]}"
}

want_libraries() { # want_libraries SONAME:PACKAGE...: what can be done without is installed only where nobody is asked
  if [ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null; then
    (need_libraries "$@") || true
  fi
}

# --- Python ----------------------------------------------------------------------------------

python_is() { # python_is PYTHON WHAT...: 'right' version, has 'venv'
  local program=$1 test=
  shift
  for what; do
    case $what in
      right) test+="assert (3, 11) <= sys.version_info < (3, 14) and sys.maxsize > 1 << 32;" ;;
      venv) test+="import venv, ensurepip;" ;;
    esac
  done
  "$program" -c "import sys; $test" >/dev/null 2>&1
}

system_python() { # sets PYTHON to a usable Python of the system; false if there is none
  local name
  for name in python3 python3.13 python3.12 python3.11; do
    if python_is "$name" right venv; then
      PYTHON=$name
      return
    fi
  done
  return 1
}

find_python() { # sets PYTHON, by apt or uv where need be
  local name packages=()
  system_python && return
  # Debian splits venv from Python; a Python that lacks nothing else is the shortest way.
  for name in python3 python3.13 python3.12 python3.11; do
    if python_is "$name" right; then
      packages=("$("$name" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')")
      break
    fi
  done
  if [ ${#packages[@]} -eq 0 ]; then
    python_is python3 || packages+=(python3)
    python_is python3 venv || packages+=(python3-venv)
  fi
  [ ${#packages[@]} -eq 0 ] || install_packages "${packages[@]}"
  system_python || python_through_uv
}

uv_ready() { # the locked uv in build/uv
  [ -x build/uv/bin/uv ] && cmp -s requirements/bootstrap.txt build/uv/locked && return
  if ! { python3 -m venv --clear build/uv &&
    build/uv/bin/python -m pip install -q --no-deps --require-hashes -r requirements/bootstrap.txt &&
    cp requirements/bootstrap.txt build/uv/locked; }; then
    die 69 "Could not install uv into build/uv: Python's words are above." \
      "无法把 uv 安装到 build/uv：原因见上文。"
  fi
}

python_through_uv() { # sets PYTHON
  tell "The system's Python is none of 3.11, 3.12 and 3.13: fetching Python 3.12 through uv ..." \
    "系统自带的 Python 不是 3.11、3.12 或 3.13，正在通过 uv 获取 Python 3.12 ……"
  uv_ready
  export UV_PYTHON_INSTALL_DIR=$PWD/build/python UV_PYTHON_INSTALL_BIN=0
  if ! { build/uv/bin/uv python install 3.12 &&
    PYTHON=$(build/uv/bin/uv python find --managed-python 3.12); }; then
    die 69 "uv could not fetch Python 3.12 (see above): install Python 3.11, 3.12 or 3.13 by other means and run this again." \
      "uv 无法获取 Python 3.12（见上文）：请用其他方式安装 Python 3.11、3.12 或 3.13 后重试。"
  fi
}

# --- The environment -------------------------------------------------------------------------

stamp() { # stamp run|test: what .venv has to be made from, and where
  local version
  version=$(.venv/bin/python -ISc 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || return 1
  # After an upgrade of the system .venv/bin/python may be a Python that .venv wasn't made with.
  [ -d ".venv/lib/python$version" ] || return 1
  printf '%s %s %s\n' "$1" "$version" \
    "$({ printf '%s\n' "$PWD" && cat "requirements/$1.txt" pyproject.toml; } | sha256sum | cut -c1-64)"
}

ready() { # ready run|test
  local wanted
  wanted=$(stamp "$1") && grep -qxF "$wanted" .venv/.stamp 2>/dev/null
}

# `.venv/.stamp` is written last and taken away first: .venv without it is half done.
make_venv() { # make_venv run|test
  local kind=$1 made
  check_release
  made=$(head -n 1 .venv/.stamp 2>/dev/null) || made=
  if [ "$made" != "$PWD" ] || ! stamp run >/dev/null || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    find_python
    rm -rf .venv
    "$PYTHON" -m venv .venv ||
      die 69 "Could not make .venv with $PYTHON: its words are above." "无法用 $PYTHON 创建 .venv：原因见上文。"
  fi
  rm -f .venv/.stamp
  tell "Installing the Python packages of requirements/$kind.txt (a minute or two the first time) ..." \
    "正在安装 requirements/$kind.txt 中的 Python 软件包（首次需要一两分钟）……"
  # --no-deps: the lock names everything, and old pips look for newer versions of what an extra names.
  if ! { .venv/bin/python -m pip install -q --no-deps --require-hashes -r "requirements/$kind.txt" &&
    .venv/bin/python -m pip install -q --no-deps --no-build-isolation -e .; }; then
    die 69 "Could not install the Python packages: pip's words are above (no network, or no room?)." \
      "无法安装 Python 软件包：pip 的说明见上文（没有网络，或磁盘空间不足？）。"
  fi
  printf '%s\n' "$PWD" >.venv/.stamp
  stamp run >>.venv/.stamp
  [ "$kind" = run ] || stamp "$kind" >>.venv/.stamp
}

kernels_stamp() { # what the media engine's kernels are compiled from
  find pbx/media/engine pbx/media/codecs.py requirements/run.txt -name '*.py' -o -name run.txt | sort | tr '\n' '\0' | xargs -0 cat | sha256sum
}

compile_kernels() { # now, so that the first start is as quick as any other
  tell "Compiling the media engine ..." "正在编译媒体引擎 ……"
  .venv/bin/python -m compileall -qq pbx tui hw || true # the program says what it can't compile
  .venv/bin/python -m pbx.media.engine --compile ||
    die 69 "The media engine could not be compiled: its words are above." "无法编译媒体引擎：原因见上文。"
  kernels_stamp >.venv/.kernels
}

prepare() { # prepare run|test: .venv as requirements/run.txt or test.txt says
  ready "$1" && kernels_stamp | cmp -s - .venv/.kernels && return
  make_build
  (
    trap 'exit 130' INT # else pip's end by Ctrl-C reads like a failure of its own
    flock 9 # two of these at once: the second waits, and then has nothing to do
    ready "$1" || make_venv "$1"
    kernels_stamp | cmp -s - .venv/.kernels || compile_kernels
  ) 9>build/setup.lock
}

# --- The verbs -------------------------------------------------------------------------------

setup() {
  prepare run
  tell "Ready: ./build.sh run starts the exchange." "准备完毕：用 ./build.sh run 启动交换机。"
}

run() {
  want_libraries "${media_libraries[@]}"
  prepare run
  local data=${MINISIP_DATA:-${HOME:-/root}/.minisipserver} word previous=
  for word; do
    case $word in --data-dir=*) data=${word#*=} ;; esac
    [ "$previous" != --data-dir ] || data=$word
    previous=$word
  done
  (greet "$$" "$data" &)
  # exec: signals, Ctrl-C and the exit code are the exchange's own.
  exec .venv/bin/minisipserver-cli --data-dir "$data" "$@"
}

greet() { # greet PID FOLDER: beside the exchange: what a person needs to register the first phones
  local welcome
  MINISIP_DATA=$2 .venv/bin/minisip welcome --wait 60 2>/dev/null &
  welcome=$!
  while kill -0 "$welcome" 2>/dev/null; do
    kill -0 "$1" 2>/dev/null || kill "$welcome"
    sleep 0.2
  done
}

# mariadb-server-core has the programs without the service: nothing starts, no port is taken.
test_programs=(
  sipp:sip-tester baresip:baresip-core linphonec:linphone-cli ip:iproute2 nft:nftables sfdisk:fdisk mkfs.vfat:dosfstools
  mcopy:mtools espeak-ng:espeak-ng sox:sox aplay:alsa-utils jackd:jackd2 mmdebstrap:mmdebstrap
  kamailio:kamailio node:nodejs npm:npm ssconvert:gnumeric sqlite3:sqlite3 tmux:tmux
  "mariadbd:mariadb-server-core|mariadb-server-core-10.6" "mariadb:mariadb-client-core|mariadb-client-core-10.6"
)

# What the media engine can do without, and then says so.
media_libraries=(
  "libspandsp.so.2:libspandsp2|libspandsp2t64" libopus.so.0:libopus0 libsrtp2.so.1:libsrtp2-1
)

# What it does without, but its tests don't.
test_libraries=("${media_libraries[@]}" libbcg729.so.0:libbcg729-0)

jssip_ready() { # the SIP stack of web pages, for the interop tests; as package-lock.json has it
  local from=tests/interop/jssip
  cmp -s $from/package-lock.json build/jssip/package-lock.json && [ -d build/jssip/node_modules ] && return
  mkdir -p build/jssip
  cp $from/package.json $from/package-lock.json build/jssip/
  npm ci --prefix build/jssip --no-audit --no-fund --ignore-scripts >>build/setup.log 2>&1 ||
    die 69 "JsSIP could not be installed: build/setup.log says why." "无法安装 JsSIP，原因见 build/setup.log。"
}

# Packages of the tests that have a service: nothing starts, no port is taken.
without_service() { # without_service PROGRAM: its unit is masked where the package isn't there yet
  command -v "$1" >/dev/null || [ ! -d /etc/systemd/system ] || [ -e "/etc/systemd/system/$1.service" ] ||
    as_root ln -s /dev/null "/etc/systemd/system/$1.service"
}

# Debian's releases have no Asterisk, its sid has: unpacked, not installed, it runs with sid's libraries.
asterisk_ready() { # where nobody offers it, its tests are skipped and say so
  local mirror
  [ ! -e build/asterisk ] && ! command -v asterisk >/dev/null || return 0
  if obtainable asterisk; then
    without_service asterisk
    need_programs asterisk:asterisk
    return
  fi
  tell "Unpacking Asterisk, which the exchange is tested with ..." "正在解压用于互通测试的 Asterisk ……"
  # shellcheck disable=SC2016
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -n 1)
  mkdir -p build
  rm -rf build/asterisk.new
  if mmdebstrap --quiet --variant=extract --include=asterisk --aptopt='APT::Install-Recommends "false"' \
    --aptopt='Acquire::Check-Valid-Until "false"' sid build/asterisk.new "$mirror" >>build/setup.log 2>&1; then
    mv build/asterisk.new build/asterisk
  else
    rm -rf build/asterisk.new
    tell "Asterisk is not to be had here (build/setup.log says why): its tests are skipped." \
      "此处无法取得 Asterisk（原因见 build/setup.log），跳过相关测试。"
  fi
}

kamailio_ready() { # its modules for TLS and WebSocket are packages of their own
  local name
  for name in tls websocket; do
    compgen -G "/usr/lib/*/kamailio/modules/$name.so" >/dev/null || install_packages "kamailio-$name-modules"
  done
}

run_tests() {
  without_service kamailio
  need_programs "${test_programs[@]}"
  kamailio_ready
  asterisk_ready
  need_libraries "${test_libraries[@]}"
  prepare test
  jssip_ready
  case ${1:-} in # with a table at the end of what became of each
    interop) # only what drives programs of others
      export MINISIP_TABLE=interop
      set -- tests/interop tests/carriers "${@:2}"
      ;;
    posts) # only what the ten posts say
      export MINISIP_TABLE=posts
      set -- tests/posts "${@:2}"
      ;;
  esac
  if [ $# -eq 0 ] && [ "$(nproc)" -gt 1 ]; then # most of them wait for programs: two at once, each file in one process
    set -- --numprocesses 2 --dist loadfile
  fi
  exec .venv/bin/python -m pytest "$@"
}

bench_arm() { # no Pi is needed: numba compiles for it, an emulator runs it, llvm-mca reckons
  need_programs llvm-mca-19:llvm-19 clang-19:clang-19
  prepare test
  exec .venv/bin/python -m tests.bench.arm "$@"
}

bench_beside() { # bench_beside NAME [ARGUMENTS]: beside programs of others, which the shared harness puts into a chroot
  local harness=../shared/bench name=$1
  shift
  [ -x "$harness/setup.sh" ] || die 69 "The bench harness is not there: the folder shared/bench has to lie beside this one (in $(dirname "$PWD"))." \
    "找不到测量工具：shared/bench 目录必须与本目录并列（位于 $(dirname "$PWD")）。"
  [ "$(id -u)" -eq 0 ] || die 77 "To run other programs in a chroot takes root: sudo ./build.sh bench $name" \
    "在 chroot 中运行其他程序需要 root 权限：sudo ./build.sh bench $name"
  need_programs ip:iproute2
  need_libraries "${media_libraries[@]}"
  prepare test
  export BENCH_BUILD=$PWD/build/bench
  mkdir -p "$BENCH_BUILD"
  [ -d /var/lib/bench-peers ] || tell "Installing the programs that are measured beside ours (some minutes) ..." \
    "正在安装用于比较的程序（需要几分钟）……"
  bash "$harness/setup.sh" >"$BENCH_BUILD/setup.log" 2>&1 ||
    die 69 "The programs to compare with could not be installed: $(tail -n 1 "$BENCH_BUILD/setup.log") (all of it is in build/bench/setup.log)." \
      "无法安装用于比较的程序：$(tail -n 1 "$BENCH_BUILD/setup.log")（全部输出见 build/bench/setup.log）。"
  # In a network of its own no other program has the harness' ports.
  # shellcheck disable=SC2016
  exec unshare --net bash -c 'ip link set lo up && exec "$@"' bench .venv/bin/python -m "tests.bench.$name" "$@"
}

run_benches() {
  case ${1:-} in
    arm)
      shift
      bench_arm "$@"
      ;;
    media | networks | calls) bench_beside "$@" ;;
  esac
  need_programs "${test_programs[@]}"
  need_libraries "${test_libraries[@]}"
  if ! command -v kamailio >/dev/null; then
    # It is measured beside us; its package alone would start it, now and at each boot, on our port.
    as_root ln -sfn /dev/null /etc/systemd/system/kamailio.service || true
    need_programs kamailio:kamailio
  fi
  prepare test
  local bench failed=0
  for bench in tests/bench/*_bench.py; do
    [ -e "$bench" ] || die 69 "There is nothing to measure in tests/bench." "tests/bench 中没有可以测量的内容。"
    printf '\n== %s\n' "$bench"
    .venv/bin/python "$bench" "$@" || failed=1
  done
  exit $failed
}

fuzz() { # what peers write, broken in every way, guided by the branches that it reaches
  prepare test
  .venv/bin/python -c 'import atheris' 2>/dev/null ||
    die 69 "atheris is not to be had here: fuzzing takes x86-64 and Python 3.11 or 3.12." \
      "此处没有 atheris：模糊测试需要 x86-64 和 Python 3.11 或 3.12。"
  exec .venv/bin/python -m tests.fuzz "$@"
}

source_files() { # the project's own files, also before they are committed
  git ls-files -co --exclude-standard 2>/dev/null ||
    find . \( -name '.?*' ! -name .ci -o -name build -o -name __pycache__ \) -prune -o -type f -print
}

short_files() {
  local long
  long=$(source_files | grep '\.py$' | tr '\n' '\0' | xargs -0r wc -l 2>/dev/null | awk '$2 != "total" && $1 > 700')
  [ -z "$long" ] || { printf 'over 700 lines:\n%s\n' "$long" && return 1; }
}

no_hosts() { # nothing names a package registry's host or a path of one machine
  local rows
  rows=$(source_files | tr '\n' '\0' | xargs -0r grep -snIE \
    '(deb|ftp|security|snapshot)[.]debia[n][.]org|p[y]pi[.]org|pythonhoste[d]|registry[.]np[m]js|/wor[k]/(main|steering|[.]library)|/far[m]/' |
    cut -c1-140) || true
  [ -z "$rows" ] || { printf 'names a registry host or a path of one machine:\n%s\n' "$rows" && return 1; }
}

check() {
  prepare test
  command -v shellcheck >/dev/null || [ "$(id -u)" -ne 0 ] || install_packages shellcheck
  local failed=()
  step() {
    printf '== %s\n' "$*"
    "$@" || failed+=("$1${2:+ $2}")
  }
  PATH=$PWD/.venv/bin:$PATH
  step ruff check
  step ruff format --check
  step mypy
  step lint-imports
  if command -v shellcheck >/dev/null; then
    step shellcheck build.sh .ci/run
  else
    tell "shellcheck is not installed: build.sh itself was not checked." "没有安装 shellcheck，未检查 build.sh 本身。"
  fi
  step short_files
  step no_hosts
  [ ${#failed[@]} -eq 0 ] || die 1 "Not clean: ${failed[*]}." "未通过：${failed[*]}。"
  tell "All checks passed." "全部检查通过。"
}

lock() { # from pyproject.toml and requirements/*.in; versions stay unless --upgrade is given
  make_build
  python_is python3 venv || install_packages python3 python3-venv
  uv_ready
  compile() {
    local target=$1
    shift
    build/uv/bin/uv pip compile -q --no-config --universal --generate-hashes --no-emit-index-url \
      --python-version 3.11 --custom-compile-command "./build.sh lock" -o "requirements/$target.txt" "$@"
  }
  compile run pyproject.toml requirements/build.in "$@"
  compile test pyproject.toml requirements/build.in --extra dev -c requirements/run.txt "$@"
  compile bootstrap requirements/bootstrap.in "$@"
  no_hosts
}

deb() { # neither root nor emulation is needed; without the right strip the package is bigger
  make_build
  find_python
  uv_ready
  [ "$(id -u)" -ne 0 ] || need_programs dpkg-deb:dpkg aarch64-linux-gnu-strip:binutils-aarch64-linux-gnu \
    x86_64-linux-gnu-strip:binutils-x86-64-linux-gnu
  exec "$PYTHON" image/deb/build.py "$@"
}

image() { # without a user's own ids (package uidmap) or root there are no files of several owners
  make_build
  find_python
  [ "$(uname -m)" = aarch64 ] || command -v qemu-aarch64 >/dev/null ||
    need_programs "qemu-aarch64-static:qemu-user-static|qemu-user"
  need_programs mmdebstrap:mmdebstrap mcopy:mtools mkfs.vfat:dosfstools sfdisk:fdisk xz:xz-utils newuidmap:uidmap
  rm -rf build/image/deb
  (deb --arch arm64 --python 3.13 --out build/image/deb --level 1)
  PYTHONPATH=$PWD/image exec "$PYTHON" -m builder --deb build/image/deb/*.deb "$@"
}

boot_test() { # the image of the last ./build.sh image, in a network of its own
  local image package
  need_programs "${test_programs[@]}" qemu-system-aarch64:qemu-system-arm dnsmasq:dnsmasq-base ssh:openssh-client
  prepare test
  newest() { find build/image -maxdepth 1 -name "$1" -printf '%T@ %p\n' 2>/dev/null | sort -rn | head -n 1 | cut -d' ' -f2-; }
  image=$(newest 'minisipserver-*-arm64.img')
  if [ -z "$image" ] && [[ " $* " = *" --fast "* ]] && [ -z "$(newest 'root-*.tar')" ]; then
    tell "There is neither an image nor a root to make one from quickly: testing the package in a clean system, without booting." \
      "没有镜像，也没有可快速生成镜像的缓存：改为在干净系统中测试安装包，不启动镜像。"
    exec .venv/bin/python -m pytest tests/deb
  fi
  if [ -z "$image" ]; then
    (image)
    image=$(newest 'minisipserver-*-arm64.img')
  fi
  package=$(find build/image/deb -name '*.deb' 2>/dev/null) # what the image was made with
  PYTHONPATH=$PWD/image:$PWD exec unshare --user --map-root-user --net --mount --pid --fork --kill-child \
    --mount-proc .venv/bin/python -m boot_test --image "$image" \
    ${package:+--package "$package"} "$@"
}

deb_programs=(
  mmdebstrap:mmdebstrap aarch64-linux-gnu-strip:binutils-aarch64-linux-gnu
  x86_64-linux-gnu-strip:binutils-x86-64-linux-gnu qemu-aarch64-static:qemu-user-static
)

deb_test() { # Debian 12 and 13, amd64 and arm64, package and sources: an hour; `test` has the short form
  need_programs "${test_programs[@]}" "${deb_programs[@]}"
  prepare test
  MINISIP_DEB_TEST=all exec .venv/bin/python -m pytest tests/deb tests/posts/test_t6_install.py "$@"
}

verb=${1:-}
[ $# -eq 0 ] || shift
case $verb in "" | -h | --help | help) ;; *) check_machine ;; esac
case $verb in
  setup) setup ;;
  run) run "$@" ;;
  test) run_tests "$@" ;;
  check) check ;;
  bench) run_benches "$@" ;;
  fuzz) fuzz "$@" ;;
  lock) lock "$@" ;;
  deb) deb "$@" ;;
  image) image "$@" ;;
  boot-test) boot_test "$@" ;;
  deb-test) deb_test "$@" ;;
  -h | --help | help) usage ;;
  *)
    usage
    exit 64
    ;;
esac
