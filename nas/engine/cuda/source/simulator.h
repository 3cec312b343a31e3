// CUDA's execution model on one processor thread: every CUDA thread is a fibre that runs until it must wait.
//
// Barriers, shuffles and ballots wait for exactly the threads that CUDA makes them wait for; a thread that never comes
// is an error, not a hang. Between two barriers fibres run in the order that the caller chose (ascending, descending or
// shuffled), so a missing barrier shows as a result that depends on that order. Shared memory starts as NaN.
#pragma once

#include <csetjmp>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ucontext.h>
#include <vector>

struct dim3 {
    unsigned x, y, z;
};

namespace simulator {

enum State { READY, AT_BLOCK, AT_WARP, DONE };

struct Fibre {
    jmp_buf here;
    ucontext_t start;
    bool started = false;
    State state = READY;
    dim3 thread{0, 0, 0};
    int block = 0, number = 0;
    unsigned parity = 0;
    uint64_t slot[2] = {0, 0};
};

struct Block {
    int waiting = 0, done = 0;
    unsigned char* shared = nullptr;
    std::vector<int> warp_waiting;
};

struct World {
    std::vector<Fibre> fibres;
    std::vector<Block> blocks;
    std::vector<char*> stacks;
    Fibre* now = nullptr;
    jmp_buf scheduler;
    dim3 block_dim{1, 1, 1}, grid_dim{1, 1, 1};
    unsigned first_block = 0;
    void (*kernel)(const void*, int) = nullptr;
    const void* jobs = nullptr;
    int count = 0;
    uint64_t spins = 0;
    const char* error = nullptr;
};

static thread_local World* world;
static const size_t STACK = 128 * 1024;

inline Fibre& self() { return *world->now; }

inline void yield(State state) {
    Fibre& fibre = self();
    fibre.state = state;
    if (_setjmp(fibre.here) == 0) _longjmp(world->scheduler, 1);
}

inline void block_barrier() {
    Block& block = world->blocks[self().block];
    if (++block.waiting < (int)world->block_dim.x) {
        yield(AT_BLOCK);
        return;
    }
    block.waiting = 0;
    for (Fibre& each : world->fibres)
        if (each.block == self().block && each.state == AT_BLOCK) each.state = READY;
    yield(READY);
}

inline void warp_barrier() {
    Fibre& fibre = self();
    int warp = fibre.thread.x / 32;
    int& waiting = world->blocks[fibre.block].warp_waiting[warp];
    if (++waiting < 32) {
        yield(AT_WARP);
        return;
    }
    waiting = 0;
    int first = fibre.number - fibre.thread.x % 32;
    for (int k = first; k < first + 32; ++k)
        if (world->fibres[k].state == AT_WARP) world->fibres[k].state = READY;
}

template <typename T>
inline T exchange(T value, int lane) {
    static_assert(sizeof(T) <= 8, "a shuffle moves at most eight bytes");
    Fibre& fibre = self();
    unsigned parity = fibre.parity ^= 1;
    fibre.slot[parity] = 0;
    memcpy(&fibre.slot[parity], &value, sizeof(T));
    warp_barrier();
    T found;
    memcpy(&found, &world->fibres[fibre.number - fibre.thread.x % 32 + lane].slot[parity], sizeof(T));
    return found;
}

inline unsigned ballot(bool vote) {
    Fibre& fibre = self();
    unsigned parity = fibre.parity ^= 1;
    fibre.slot[parity] = vote;
    warp_barrier();
    unsigned votes = 0;
    int first = fibre.number - fibre.thread.x % 32;
    for (int k = 0; k < 32; ++k) votes |= (unsigned)(world->fibres[first + k].slot[parity] != 0) << k;
    return votes;
}

inline void spin() {
    world->spins++;
    yield(READY);
}

inline void enter() {
    world->kernel(world->jobs, world->count);
    Fibre& fibre = self();
    fibre.state = DONE;
    world->blocks[fibre.block].done++;
    _longjmp(world->scheduler, 1);
}

inline void resume(Fibre& fibre, char* stack) {
    world->now = &fibre;
    if (_setjmp(world->scheduler) != 0) return;
    if (fibre.started) _longjmp(fibre.here, 1);
    fibre.started = true;
    getcontext(&fibre.start);
    fibre.start.uc_stack.ss_sp = stack;
    fibre.start.uc_stack.ss_size = STACK;
    fibre.start.uc_link = nullptr;
    makecontext(&fibre.start, (void (*)())enter, 0);
    setcontext(&fibre.start);
}

// Blocks first … first + together - 1, side by side; null or what went wrong.
inline const char* run_team(unsigned first, unsigned together, size_t shared_bytes, int order, uint64_t& random) {
    World& w = *world;
    unsigned threads = w.block_dim.x;
    w.first_block = first;
    w.fibres.assign((size_t)together * threads, Fibre());
    w.blocks.assign(together, Block());
    w.spins = 0;
    while (w.stacks.size() < w.fibres.size()) w.stacks.push_back((char*)malloc(STACK));
    for (Block& block : w.blocks) {
        block.shared = (unsigned char*)aligned_alloc(64, (shared_bytes + 127) / 64 * 64);
        memset(block.shared, 0xff, (shared_bytes + 127) / 64 * 64);
        block.warp_waiting.assign((threads + 31) / 32, 0);
    }
    for (size_t k = 0; k < w.fibres.size(); ++k) {
        w.fibres[k].number = (int)k;
        w.fibres[k].block = (int)(k / threads);
        w.fibres[k].thread.x = (unsigned)(k % threads);
    }
    const char* error = nullptr;
    std::vector<int> turn(w.fibres.size());
    for (size_t k = 0; k < turn.size(); ++k) turn[k] = (int)k;
    size_t left = turn.size();
    while (left > 0 && error == nullptr) {
        if (order == 2)
            for (size_t k = turn.size() - 1; k > 0; --k) {
                random = random * 6364136223846793005ull + 1442695040888963407ull;
                std::swap(turn[k], turn[(random >> 33) % (k + 1)]);
            }
        size_t ran = 0, finished = 0;
        uint64_t spun = w.spins;
        for (size_t k = 0; k < turn.size(); ++k) {
            Fibre& fibre = w.fibres[turn[order == 1 ? turn.size() - 1 - k : k]];
            if (fibre.state != READY) continue;
            resume(fibre, w.stacks[fibre.number]);
            ran++;
            finished += fibre.state == DONE;
        }
        left -= finished;
        if (left > 0 && ran == 0) error = "threads wait at a barrier that others never reach";
        if (w.spins - spun == ran && ran > 0 && w.spins > 10000000) error = "blocks wait for a block that never comes";
    }
    for (Block& block : w.blocks) {
        if (shared_bytes % 64 != 0 || true) {
            for (size_t k = shared_bytes; k < (shared_bytes + 127) / 64 * 64; ++k)
                if (block.shared[k] != 0xff) error = "a thread wrote behind the end of shared memory";
        }
        free(block.shared);
    }
    return error;
}

inline const char* run(void (*kernel)(const void*, int), unsigned grid, unsigned threads, size_t shared_bytes,
                       unsigned together, int order, uint64_t seed, const void* jobs, int count) {
    if (threads == 0 || threads % 32 != 0) return "the threads of a block must be a multiple of 32";
    World own;
    world = &own;
    own.kernel = kernel;
    own.jobs = jobs;
    own.count = count;
    own.block_dim.x = threads;
    own.grid_dim.x = grid;
    const char* error = nullptr;
    for (unsigned first = 0; first < grid && error == nullptr; first += together)
        error = run_team(first, together < grid - first ? together : grid - first, shared_bytes, order, seed);
    for (char* stack : own.stacks) free(stack);
    world = nullptr;
    return error;
}

}  // namespace simulator

#define __device__
#define __forceinline__ inline
#define DEVICE static inline
#define KERNEL(name, threads)                        \
    extern "C" const size_t name##_threads = threads; \
    extern "C" void name
#define KERNEL_OF(Type, name, threads)                     \
    extern "C" const size_t name##_bytes = sizeof(Type);    \
    static void name##_of(const Type& c); \
    KERNEL(name, threads)(const void* jobs, int) { name##_of(*(const Type*)jobs); } \
    static void name##_of(const Type& c)
#define SHARED_MEMORY(name) unsigned char* name = simulator::world->blocks[simulator::self().block].shared
#define SPIN() simulator::spin()

#define threadIdx (simulator::self().thread)
#define blockDim (simulator::world->block_dim)
#define gridDim (simulator::world->grid_dim)
static inline dim3 simulated_block() { return {simulator::world->first_block + simulator::self().block, 0, 0}; }
#define blockIdx (simulated_block())

static inline void __syncthreads() { simulator::block_barrier(); }
static inline void __syncwarp() { simulator::warp_barrier(); }
static inline void __threadfence() {}
static inline unsigned __ballot_sync(unsigned, bool vote) { return simulator::ballot(vote); }
template <typename T>
static inline T __shfl_xor_sync(unsigned, T value, int mask) {
    return simulator::exchange(value, (simulator::self().thread.x % 32) ^ mask);
}
template <typename T>
static inline T __shfl_sync(unsigned, T value, int lane) {
    return simulator::exchange(value, lane);
}
static inline unsigned atomicAdd(unsigned* at, unsigned amount) {
    unsigned before = *at;
    *at += amount;
    return before;
}
static inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
using std::exp;
using std::fabs;
using std::floor;
using std::fma;
using std::fmax;
using std::fmin;
using std::isfinite;
using std::log;
using std::log1p;
using std::sqrt;
using std::tanh;
