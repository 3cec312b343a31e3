// CUDA's execution model on one processor thread: every CUDA thread is a fibre that runs until it must wait.
//
// Barriers, shuffles and ballots wait for exactly the threads that CUDA makes them wait for; a thread that never comes
// is an error, not a hang. Between two barriers fibres run in the order that the caller chose (ascending, descending or
// shuffled), so a missing barrier shows as a result that depends on that order. Shared memory starts as NaN.
//
// With WATCHED (and `-fsanitize=thread`, without its library) every access to memory is reported to `races.h`, which finds
// two that conflict without a barrier between them, whatever order they happened to come in.
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

#ifdef WATCHED
#define UNWATCHED __attribute__((no_sanitize("thread"), noinline))
#else
#define UNWATCHED inline
#endif

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
    unsigned meetings = 0;  // of its warp
};

struct Block {
    int waiting = 0, done = 0;
    unsigned char* shared = nullptr;
    unsigned meetings = 0;
    int warp_waiting[32] = {};
};

struct World {
    std::vector<Fibre> fibre_list;
    std::vector<Block> block_list;
    Fibre* fibres = nullptr;  // what kernels reach goes by these, so that nothing of the simulator's own is watched
    Block* blocks = nullptr;
    std::vector<char*> stacks;
    unsigned meetings = 0;  // of the team
    Fibre* now = nullptr;
    jmp_buf scheduler;
    dim3 block_dim{1, 1, 1}, grid_dim{1, 1, 1};
    unsigned first_block = 0, together = 1;
    void (*kernel)(const void*, int) = nullptr;
    const void* jobs = nullptr;
    int count = 0;
    uint64_t spins = 0;
    size_t shared_bytes = 0;
    const char* error = nullptr;
};

static thread_local World* world;
static const size_t STACK = 128 * 1024;

UNWATCHED Fibre& self() { return *world->now; }

UNWATCHED void yield(State state) {
    Fibre& fibre = self();
    fibre.state = state;
    if (_setjmp(fibre.here) == 0) _longjmp(world->scheduler, 1);
}

UNWATCHED void block_barrier() {
    Block& block = world->blocks[self().block];
    if (++block.waiting < (int)world->block_dim.x) {
        yield(AT_BLOCK);
        return;
    }
    block.waiting = 0;
    block.meetings++;
    const int threads = (int)world->block_dim.x, first = self().block * threads;
    for (int k = first; k < first + threads; ++k)
        if (world->fibres[k].state == AT_BLOCK) world->fibres[k].state = READY;
    yield(READY);
}

// Shuffles and ballots wait, but order no memory.
UNWATCHED void warp_barrier(bool orders = false) {
    Fibre& fibre = self();
    int warp = fibre.thread.x / 32;
    int& waiting = world->blocks[fibre.block].warp_waiting[warp];
    if (++waiting < 32) {
        yield(AT_WARP);
        return;
    }
    waiting = 0;
    int first = fibre.number - fibre.thread.x % 32;
    for (int k = first; k < first + 32; ++k) {
        world->fibres[k].meetings += orders;
        if (world->fibres[k].state == AT_WARP) world->fibres[k].state = READY;
    }
}

template <typename T>
UNWATCHED T exchange(T value, int lane) {
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

UNWATCHED unsigned ballot(bool vote) {
    Fibre& fibre = self();
    unsigned parity = fibre.parity ^= 1;
    fibre.slot[parity] = vote;
    warp_barrier();
    unsigned votes = 0;
    int first = fibre.number - fibre.thread.x % 32;
    for (int k = 0; k < 32; ++k) votes |= (unsigned)(world->fibres[first + k].slot[parity] != 0) << k;
    return votes;
}

UNWATCHED void spin() {
    world->spins++;
    yield(READY);
}

UNWATCHED void enter() {
    world->kernel(world->jobs, world->count);
    Fibre& fibre = self();
    fibre.state = DONE;
    world->blocks[fibre.block].done++;
    _longjmp(world->scheduler, 1);
}

UNWATCHED void resume(Fibre& fibre, char* stack) {
    world->now = &fibre;
    if (_setjmp(world->scheduler) != 0) {
        world->now = nullptr;
        return;
    }
    if (fibre.started) _longjmp(fibre.here, 1);
    fibre.started = true;
    getcontext(&fibre.start);
    fibre.start.uc_stack.ss_sp = stack;
    fibre.start.uc_stack.ss_size = STACK;
    fibre.start.uc_link = nullptr;
    makecontext(&fibre.start, (void (*)())enter, 0);
    setcontext(&fibre.start);
}

#ifdef WATCHED
void begin_watching();  // races.h
const char* found_race();
#endif

// Blocks first … first + together - 1, side by side; null or what went wrong.
UNWATCHED const char* run_team(unsigned first, unsigned together, size_t shared_bytes, int order, uint64_t& random) {
    World& w = *world;
    unsigned threads = w.block_dim.x;
    w.first_block = first;
    w.together = together;
    w.shared_bytes = shared_bytes;
    const size_t fibres = (size_t)together * threads;
    w.fibre_list.assign(fibres, Fibre());
    w.block_list.assign(together, Block());
    w.fibres = w.fibre_list.data();
    w.blocks = w.block_list.data();
    w.spins = 0;
    w.meetings = 0;
    while (w.stacks.size() < fibres) w.stacks.push_back((char*)malloc(STACK));
    for (Block& block : w.block_list) {
        block.shared = (unsigned char*)aligned_alloc(64, (shared_bytes + 127) / 64 * 64);
        memset(block.shared, 0xff, (shared_bytes + 127) / 64 * 64);
    }
    for (size_t k = 0; k < fibres; ++k) {
        w.fibres[k].number = (int)k;
        w.fibres[k].block = (int)(k / threads);
        w.fibres[k].thread.x = (unsigned)(k % threads);
    }
    const char* error = nullptr;
    std::vector<int> turn(fibres);
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
    for (Block& block : w.block_list) {
        for (size_t k = shared_bytes; k < (shared_bytes + 127) / 64 * 64; ++k)
            if (block.shared[k] != 0xff) error = "a thread wrote behind the end of shared memory";
        free(block.shared);
    }
    return error;
}

UNWATCHED const char* run(void (*kernel)(const void*, int), unsigned grid, unsigned threads, size_t shared_bytes,
                       unsigned together, int order, uint64_t seed, const void* jobs, int count) {
    if (threads == 0 || threads % 32 != 0 || threads > 1024) return "the threads of a block must be a multiple of 32, 1024 at most";
    World own;
    world = &own;
    own.kernel = kernel;
    own.jobs = jobs;
    own.count = count;
    own.block_dim.x = threads;
    own.grid_dim.x = grid;
#ifdef WATCHED
    begin_watching();
#endif
    const char* error = nullptr;
    for (unsigned first = 0; first < grid && error == nullptr; first += together)
        error = run_team(first, together < grid - first ? together : grid - first, shared_bytes, order, seed);
#ifdef WATCHED
    if (error == nullptr) error = found_race();
#endif
    for (char* stack : own.stacks) free(stack);
    world = nullptr;
    return error;
}

}  // namespace simulator

#ifdef WATCHED
#include "races.h"
#endif

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
static UNWATCHED unsigned char* simulated_shared() { return simulator::world->blocks[simulator::self().block].shared; }
#define SHARED_MEMORY(name) unsigned char* name = simulated_shared()
#define SPIN() simulator::spin()

static UNWATCHED dim3 simulated_thread() { return simulator::self().thread; }
static UNWATCHED dim3 simulated_block_dim() { return simulator::world->block_dim; }
static UNWATCHED dim3 simulated_grid_dim() { return simulator::world->grid_dim; }
#define threadIdx (simulated_thread())
#define blockDim (simulated_block_dim())
#define gridDim (simulated_grid_dim())
static UNWATCHED dim3 simulated_block() { return {simulator::world->first_block + simulator::self().block, 0, 0}; }
#define blockIdx (simulated_block())

static inline void __syncthreads() { simulator::block_barrier(); }
static inline void __syncwarp() { simulator::warp_barrier(true); }
static inline void __threadfence() {}
static inline unsigned __ballot_sync(unsigned, bool vote) { return simulator::ballot(vote); }
template <typename T>
static inline T __shfl_xor_sync(unsigned, T value, int mask) {
    return simulator::exchange(value, (int)(threadIdx.x % 32) ^ mask);
}
template <typename T>
static inline T __shfl_sync(unsigned, T value, int lane) {
    return simulator::exchange(value, lane);
}
static UNWATCHED unsigned atomicAdd(unsigned* at, unsigned amount) {
    unsigned before = *at;
    *at += amount;
    return before;
}
// Where a team has met: what its blocks did before is ordered before what they do after.
static UNWATCHED void team_met() { simulator::world->meetings++; }
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
