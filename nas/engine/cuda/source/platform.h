// What the kernels need beside CUDA C++ itself: the type of their numbers, and on machines without a GPU the language.
//
// Compiled by NVRTC (or nvcc) this is ordinary device code. Compiled by a C++ compiler it runs on `simulator.h`, which
// gives every thread of a block a stack of its own and lets them meet at real barriers.
#pragma once

#ifndef REAL
#define REAL float
#endif
typedef REAL real;
typedef unsigned long long wide;

// KERNEL(name, threads)(const void* jobs, int count): a kernel of structures that lie in the GPU's memory.
// KERNEL_OF(Type, name, threads): one of a single structure c, handed over by value, so that nothing need be copied first.
#ifdef __CUDACC__
#define DEVICE static __device__ __forceinline__
#define KERNEL(name, threads) extern "C" __global__ void __launch_bounds__(threads, 1) name
#define KERNEL_OF(Type, name, threads) KERNEL(name, threads)(const __grid_constant__ Type c)
#define SHARED_MEMORY(name) extern __shared__ __align__(16) unsigned char name[]
#define SPIN()
#define MET()
#else
#include "simulator.h"
#define MET() team_met()
#endif

#define WARP 32
#define EVERY_LANE 0xffffffffu

DEVICE int lane_number() { return threadIdx.x % WARP; }
DEVICE int warp_number() { return threadIdx.x / WARP; }
DEVICE int warp_count() { return blockDim.x / WARP; }

// The sum over the lanes of a warp, in every lane; always in the same order.
template <typename T>
DEVICE T warp_sum(T value) {
#pragma unroll
    for (int mask = WARP / 2; mask > 0; mask /= 2) value += __shfl_xor_sync(EVERY_LANE, value, mask);
    return value;
}

// The product over the lanes of a warp, in every lane.
DEVICE real warp_product(real value) {
#pragma unroll
    for (int mask = WARP / 2; mask > 0; mask /= 2) value *= __shfl_xor_sync(EVERY_LANE, value, mask);
    return value;
}

// All threads of `blocks` blocks wait for each other; what any of them wrote before is seen by all of them after.
// words[0] counts arrivals, words[1] completed meetings; both start at 0 and are used for nothing else.
DEVICE void team_barrier(unsigned* words, int blocks) {
    __syncthreads();
    if (blocks == 1) return;
    if (threadIdx.x == 0) {
        volatile unsigned* generation = words + 1;
        unsigned before = *generation;
        __threadfence();
        if (atomicAdd(words, 1u) == (unsigned)blocks - 1) {
            *(volatile unsigned*)words = 0;
            __threadfence();
            MET();
            atomicAdd(words + 1, 1u);
        } else {
            while (*generation == before) SPIN();
        }
        __threadfence();
    }
    __syncthreads();
}
