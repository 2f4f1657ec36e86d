"""Mixers against published values."""

import numpy as np

from cmtp.kernels.hashing import GOLDEN, murmur_mix, split_mix, split_mix_all


def test_splitmix64_gives_the_sequence_of_the_paper():
    """The first numbers of java.util.SplittableRandom with seed 0."""
    states = np.arange(1, 4, dtype=np.uint64) * GOLDEN
    expected = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    assert split_mix_all(states).tolist() == expected
    assert [int(split_mix(state)) for state in states] == expected


def test_murmur_mix_is_that_of_the_reference():
    def plain(value):
        for shift, multiplier in ((33, 0xFF51AFD7ED558CCD), (33, 0xC4CEB9FE1A85EC53)):
            value = (value ^ value >> shift) * multiplier % 2**64
        return value ^ value >> 33

    for value in (0, 1, 2**63, 0xDEADBEEF12345678):
        assert int(murmur_mix(np.uint64(value))) == plain(value)
