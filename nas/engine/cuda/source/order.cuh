// The order of the samples, without a table: a keyed permutation of 0 … count - 1 for every epoch.
//
// A Feistel network on the next even number of bits is a permutation whatever its round function is; walking its cycle
// until the result is below `count` makes it one of 0 … count - 1 (Black & Rogaway 2002). `nas.training._order` computes
// the same on the processor.
#pragma once
#include "platform.h"

DEVICE unsigned mixed(unsigned x) {  // the finaliser of MurmurHash3
    x ^= x >> 16;
    x *= 0x85ebca6bu;
    x ^= x >> 13;
    x *= 0xc2b2ae35u;
    return x ^ x >> 16;
}

DEVICE unsigned shuffled(unsigned place, unsigned count, unsigned seed, unsigned epoch) {
    int half = 1;
    while (half < 16 && (1ull << 2 * half) < count) ++half;
    const unsigned mask = (1u << half) - 1u;
    const unsigned key = mixed(seed ^ mixed(epoch + 0x9e3779b9u));
    do {
        unsigned left = place >> half, right = place & mask;
        for (unsigned round = 0; round < 6; ++round) {
            unsigned next = left ^ (mixed(right + key + round * 0x9e3779b9u) & mask);
            left = right;
            right = next;
        }
        place = left << half | right;
    } while (place >= count);
    return place;
}
