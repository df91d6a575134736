"""What is reserved for a job, in amounts that EC2 and Fargate take."""

import gzip
import json
from importlib.resources import files

import pytest

from swell.compute.batch.instance_types import (
    ARM,
    Machine,
    architecture_of,
    fits,
    machines_of,
    memory_for_jobs,
)
from swell.compute.batch.sizes import (
    FARGATE_SIZES,
    Size,
    ec2_size,
    fargate_disk_gib,
    fargate_size,
    wastes_a_machine,
)
from swell.model.resources import Resources


def test_a_step_that_says_nothing_gets_one_cpu_and_4000_megabytes():
    assert ec2_size(Resources()) == Size(1.0, 4000)


def test_ec2_gets_whole_cpus_as_text_without_a_point():
    size = ec2_size(Resources(cpu=1.2, memory_mb=2, gpu=2))
    assert size.requirements() == [
        {"type": "VCPU", "value": "2"},
        {"type": "MEMORY", "value": "4"},
        {"type": "GPU", "value": "2"},
    ]


@pytest.mark.parametrize(
    ("cpu", "memory", "expected"),
    [
        (0.1, 100, Size(0.25, 512)),
        (0.25, 513, Size(0.25, 1024)),
        (0.25, 2049, Size(0.5, 3072)),
        (1, 4000, Size(1.0, 4096)),
        (1, 1000, Size(1.0, 2048)),
        (1, 9000, Size(2.0, 9216)),
        (3, 4000, Size(4.0, 8192)),
        (5, 16_385, Size(8.0, 20_480)),
        (16, 122_880, Size(16.0, 122_880)),
        (16, 122_881, Size(32.0, 249_856)),
        (32, 249_856, Size(32.0, 249_856)),
    ],
)
def test_fargate_rounds_both_numbers_up(cpu, memory, expected):
    assert fargate_size(Resources(cpu=cpu, memory_mb=memory)) == expected


@pytest.mark.parametrize(("cpu", "memory"), [(33, 1000), (1, 249_857)])
def test_fargate_has_no_size_beyond_its_largest(cpu, memory):
    assert fargate_size(Resources(cpu=cpu, memory_mb=memory)) is None


def test_fractions_of_a_cpu_are_written_as_the_api_wants_them():
    assert Size(0.25, 512).requirements()[0]["value"] == "0.25"
    assert all(f"{vcpus:g}" in "0.25 0.5 1 2 4 8 16 32" for vcpus in FARGATE_SIZES)


@pytest.mark.parametrize(
    ("disk_mb", "storage_gib", "expected"),
    [
        (None, None, None),
        (20_480, None, None),
        (20_481, None, 21),
        (51_200, None, 50),
        (None, 100, 100),
        (51_200, 40, 50),
        (300_000, None, 293),
    ],
)
def test_the_disk_on_fargate_is_the_larger_wish_in_gib(disk_mb, storage_gib, expected):
    assert fargate_disk_gib(Resources(disk_mb=disk_mb), storage_gib) == expected


@pytest.mark.parametrize("memory", [2048, 8192, 16_384, 65_536, 73_728])
def test_asking_for_a_whole_machine_is_advised_against(memory):
    assert wastes_a_machine(memory) == int(memory * 0.95)


@pytest.mark.parametrize("memory", [4000, 8000, 7782, 1024])
def test_other_amounts_are_not_commented_on(memory):
    assert wastes_a_machine(memory) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("m5.large", "x86_64"),
        ("optimal", "x86_64"),
        ("default_x86_64", "x86_64"),
        ("g5.xlarge", "x86_64"),
        ("g4dn", "x86_64"),
        ("c7i", "x86_64"),
        ("r6gd.large", "aarch64"),
        ("m6g", "aarch64"),
        ("c7gn", "aarch64"),
        ("im4gn", "aarch64"),
        ("is4gen.medium", "aarch64"),
        ("t4g.small", "aarch64"),
        ("g5g.xlarge", "aarch64"),
        ("a1", "aarch64"),
        ("default_arm64", "aarch64"),
        ("u-6tb1.metal", "x86_64"),
    ],
)
def test_the_processor_is_known_from_the_name_of_an_instance_type(name, expected):
    assert architecture_of(name) == expected


def test_a_family_means_all_its_sizes_and_a_type_means_itself():
    assert machines_of(["m5.xlarge"]) == [Machine(4, 16_384)]
    family = machines_of(["c5"])
    assert family is not None
    assert Machine(36, 73_728) in family
    assert Machine(96, 196_608) in family


def test_optimal_means_the_families_of_old_and_of_new():
    machines = machines_of(["optimal"])
    assert machines is not None
    assert Machine(2, 3840) in machines
    assert Machine(128, 1024 * 1024) in machines


@pytest.mark.parametrize("types", [["m5", "z99"], ["m5.9xlarge"], []])
def test_what_the_table_does_not_hold_is_not_judged(types):
    assert machines_of(types) is None


def test_a_job_as_large_as_its_machine_does_not_fit():
    machine = Machine(2, 8192)
    assert not fits(Size(2.0, 8192), machine)
    assert fits(Size(2.0, wastes_a_machine(8192)), machine)
    assert memory_for_jobs(machine) > 7950


def test_the_table_says_what_amazon_says_of_its_instance_types():
    """As DescribeInstanceTypes told it to the authors of moto."""
    packed = files("moto").joinpath("ec2/resources/instance_types.json.gz").read_bytes()
    told = json.loads(gzip.decompress(packed))
    differing = {}
    for name, facts in told.items():
        is_arm = "arm64" in facts["ProcessorInfo"]["SupportedArchitectures"]
        assert (architecture_of(name) == ARM) == is_arm, name
        gpus = sum(gpu.get("Count", 0) for gpu in facts.get("GpuInfo", {}).get("Gpus", []))
        theirs = Machine(facts["VCpuInfo"]["DefaultVCpus"], facts["MemoryInfo"]["SizeInMiB"], gpus)
        ours = machines_of([name])
        if ours is not None and ours != [theirs]:
            differing[name] = (ours, theirs)
    assert differing == {}
