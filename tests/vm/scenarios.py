"""The virtual machines that ./dev vm boots, and what runs in each.

A new scenario is one Scenario here; a new kind of test a script in guest/ (and its line in
BUILD).
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Namespace:
    """An NVMe namespace of QEMU; it is /dev/nvme0n1, /dev/nvme0n2, ... in the guest."""
    block_bytes: int = 4096
    size_mib: int = 64
    properties: dict = field(default_factory=dict)  # of QEMU's device nvme-ns
    written_bytes_per_second: int = 0  # of its backing file; 0: not throttled


@dataclass(frozen=True)
class Scenario:
    name: str
    script: str  # in guest/
    namespaces: tuple = (Namespace(),)
    controller: dict = field(default_factory=dict)  # properties of QEMU's device nvme
    variables: dict = field(default_factory=dict)  # of the script's environment
    modules: tuple = ("nvme",)  # of the kernel, loaded at boot
    programs: tuple = ("gleaner",)  # of ours, in the guest's /bin
    tools: tuple = ()  # paths of Debian's programs, beside those that every guest has
    backend: str = "nvme"  # the first word of the SPEC
    node: str = "/dev/nvme0n1"
    by_name_only: bool = False  # takes figures, and tests nothing

    def environment(self):
        """What the script finds in its environment."""
        block_bytes = self.namespaces[0].block_bytes
        return {"SCRIPT": self.script, "BACKEND": self.backend, "NODE": self.node,
                "BLOCK": str(block_bytes), "PROGRAMS": ",".join(self.programs),
                **self.variables}


_ZONES = {"ZONE": 256, "ZONE_CAPACITY": 192, "MAX_OPEN": 4, "MAX_ACTIVE": 6,
          "VOLUME": 4096}
_ZONED = {"zoned": "on", "zoned.zone_size": "1M", "zoned.zone_capacity": "768K",
          "zoned.max_open": 4, "zoned.max_active": 6}
# What the conformance suite demands of a device: 8 zones of 64 blocks.
_COPY = {"mssrl": 8, "mcl": 16, "msrc": 2}
_SMALL_ZONES = {"zoned": "on", "zoned.zone_size": "256K", "zoned.zone_capacity": "192K",
                "zoned.max_open": 3, "zoned.max_active": 4}
# Commands of up to 4 MiB; zones of 4 MiB, 3 of which can be written.
_LARGE_COPIES = {"mcl": 1024, "mssrl": 128, "msrc": 127}
_LARGE_ZONES = {"zoned": "on", "zoned.zone_size": "4M", "zoned.zone_capacity": "3M"}
_SCSI = {"modules": ("nvme", "configfs", "target_core_iblock", "tcm_loop", "sd_mod", "sg"),
         "backend": "scsi"}
_DISK = {"node": "/dev/sda", "variables": {"BEHIND": "/dev/nvme0n1"}, **_SCSI}
_SG3_UTILS = ("/usr/bin/sg_copy_results", "/usr/bin/sg_inq", "/usr/bin/sg_readcap",
              "/usr/bin/sg_xcopy")
_SLOW = Namespace(size_mib=32, written_bytes_per_second=6 << 20)

SCENARIOS = [
    Scenario("block-512", "block.sh", (Namespace(512),)),
    Scenario("block-4096", "block.sh"),
    Scenario("one-range", "block.sh", (Namespace(properties={"msrc": 0}),)),
    Scenario("odd-limits", "block.sh",
             (Namespace(properties={"mssrl": 3, "mcl": 5, "msrc": 1}),),
             variables={"NVME_CLI_BLOCKS": 3}),
    Scenario("no-limits", "block.sh",
             (Namespace(properties={"mssrl": 0, "mcl": 0, "msrc": 0}),),
             variables={"NATIVE": "no", "UNKNOWN": "yes"}),
    Scenario("zoned", "zoned.sh", (Namespace(properties=_ZONED),), variables=_ZONES),
    Scenario("few-zones", "zoned.sh",
             (Namespace(properties={**_ZONED, "zoned.max_open": 2, "zoned.max_active": 2}),),
             # No zone is closed by itself where another is opened.
             {"zoned.auto_transition": "off"},
             {**_ZONES, "MAX_OPEN": 2, "MAX_ACTIVE": 2}),
    Scenario("one-zone", "zoned.sh",
             (Namespace(properties={**_ZONED, "zoned.max_open": 1, "zoned.max_active": 2}),),
             variables={**_ZONES, "MAX_OPEN": 1, "MAX_ACTIVE": 2}),
    Scenario("two-namespaces", "namespaces.sh", (Namespace(512), Namespace(4096))),
    Scenario("stripe", "stripe.sh", (Namespace(), Namespace())),
    Scenario("partition", "partition.sh", (Namespace(512),), node="/dev/nvme0n1p1"),
    Scenario("tcp", "tcp.sh", variables={"NATIVE": "no"}, node="/dev/nvme1n1",
             modules=("nvme", "configfs", "nvmet-tcp", "nvme-tcp")),
    Scenario("scsi", "scsi.sh", tools=_SG3_UTILS, **_DISK),
    Scenario("scsi-512", "scsi.sh", (Namespace(512),), tools=_SG3_UTILS, **_DISK),
    Scenario("scsi-partition", "partition.sh", (Namespace(512),),
             **{**_DISK, "node": "/dev/sda1"}),
    Scenario("killed", "interrupted.sh", (_SLOW,), variables={"WHAT": "killed"}),
    Scenario("removed", "interrupted.sh", (_SLOW,), variables={"WHAT": "detached,unplugged"}),
    Scenario("relocation", "relocation.sh",
             (Namespace(size_mib=256, properties=_LARGE_COPIES),), programs=("relocation",)),
    Scenario("relocation-zoned", "relocation.sh",
             (Namespace(size_mib=256, properties={**_LARGE_COPIES, **_LARGE_ZONES}),),
             variables={"ZONE": 1024}, programs=("relocation",)),
    Scenario("fio", "fio.sh", (Namespace(size_mib=256),), programs=("relocation",),
             tools=("/usr/bin/fio",), by_name_only=True),
    Scenario("conformance", "conformance.sh",
             (Namespace(4096, 2, _COPY), Namespace(512, 2, _COPY),
              Namespace(4096, 2, {**_COPY, **_SMALL_ZONES})),
             # Transfers of 8 pages; no zone is closed by itself where another is opened.
             {"mdts": 3, "zoned.auto_transition": "off"},
             {"NODES": "nvme0n1,nvme0n2,nvme0n3,ng0n1,ng0n3"},
             programs=("device_conformance_test", "copy_conformance_test",
                       "zone_conformance_test")),
    # The target's limits are not those that the suite demands of a copy.
    Scenario("scsi-conformance", "conformance.sh", (Namespace(4096, 2), Namespace(512, 2)),
             variables={"NODES": "sda,sdb,sg0", "BEHIND": "/dev/nvme0n1,/dev/nvme0n2"},
             programs=("device_conformance_test",), **_SCSI),
]
