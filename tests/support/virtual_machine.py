"""A whole virtual machine, emulated in software, for what no container can show: limits of a kernel's own.

It boots Debian with this checkout on it and runs one script as root; what that prints comes back. Slow: a
minute to boot, and Python in it takes some 25 times as long as outside.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.support.machine_root import NoMachine, layers
from tests.support.server_waits import FACTOR

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The emulator comes from the same release: older ones cannot emulate several processors without crashing.
_PACKAGES: Final = ("linux-image-cloud-amd64", "kmod", "qemu-system-x86")
_SCRIPT: Final = "/opt/run"
_BEGIN, _END = "=== begin ===", "=== end ==="
_PATIENCE: Final = 1500.0 * FACTOR
#: systemd.run= has no bus, which systemctl would like; the serial line is where the output goes.
_WRAPPER: Final = f"""#!/bin/sh
exec >/dev/ttyS0 2>&1 </dev/null
systemctl start dbus.socket
echo
echo "{_BEGIN}"
sh -eu {_SCRIPT}.script || echo "failed: $?"
echo "{_END}"
"""
#: Mounts that nobody else sees: the layers as one tree, made into a disk, and then the emulator's own root.
_BOOT: Final = """
    place=$1 below=$2 memory=$3
    mkdir "$place/work" "$place/root"
    mount -t overlay -o "lowerdir=$below,upperdir=$place/upper,workdir=$place/work" overlay "$place/root"
    cp "$place"/root/boot/vmlinuz-* "$place/vmlinuz"
    cp "$place"/root/boot/initrd.img-* "$place/initrd"
    mkfs.ext4 -q -F -d "$place/root" "$place/disk" 3000M
    mkdir "$place/root/vm"
    mount --bind "$place" "$place/root/vm"
    mount --bind /dev "$place/root/dev"
    exec setpriv --pdeathsig KILL chroot "$place/root" qemu-system-x86_64 -cpu max -smp 2 \
        -accel tcg,thread=multi -m "$memory" -nographic -no-reboot -nic none \
        -kernel /vm/vmlinuz -initrd /vm/initrd -drive file=/vm/disk,if=virtio,format=raw \
        -append 'root=/dev/vda rw console=ttyS0 quiet panic=-1 systemd.show_status=no \
systemd.run="/bin/sh RUN" systemd.run_success_action=poweroff systemd.run_failure_action=poweroff'
""".replace("RUN", _SCRIPT)


def run(script: str, files: Mapping[str, str], memory: int = 1024) -> str:
    """Boot one, run a script in it, switch it off, and return what the script printed.

    Args:
        script: For a shell.
        files: What lies in it, by path.
        memory: Mebibytes it has.

    Raises:
        NoMachine: There can be none here.
    """
    if os.geteuid():
        raise NoMachine("only root can build its disk")
    if platform.machine() != "x86_64":
        raise NoMachine(f"its kernel is for x86_64, and this is {platform.machine()}")
    for program in ("mkfs.ext4", "unshare", "setpriv"):
        if shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None:
            raise NoMachine(f"{program} is not installed")
    with layers(*_PACKAGES) as below, tempfile.TemporaryDirectory(prefix="srvctl-vm-") as place:
        upper = Path(place, "upper")
        for path, text in {_SCRIPT: _WRAPPER, f"{_SCRIPT}.script": script, **files}.items():
            file = upper / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return _between_marks(_boot(place, below, memory))


def _boot(place: str, below: tuple[Path, ...], memory: int) -> str:
    private = ("unshare", "--mount", "--propagation", "private", "sh", "-ec", _BOOT, "sh")
    words = [*private, place, ":".join(map(str, below)), str(memory)]
    done = subprocess.run(
        words,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=_PATIENCE,
    )
    return done.stdout.decode(errors="replace").replace("\r", "")


def _between_marks(said: str) -> str:
    found = re.search(f"{_BEGIN}\n(.*){_END}", said, re.DOTALL)
    assert found is not None, f"the script did not come to its end:\n{said[-4000:]}"
    return found[1]
