// Finds data races of a kernel on the simulator: two accesses of one place by two threads, one of them a write, with no
// barrier between them that both threads meet at.
//
// The compiler's `-fsanitize=thread` calls a function at every access to memory; these are ours. Of each place the last
// write and the last read by each warp are remembered, with how often warp, block and team had met by then. Volatile
// accesses are the program's own business (flags that several threads set to the same value) and are not looked at.
#pragma once
#include <string>
#include <unordered_map>

namespace simulator {

struct Access {
    int fibre = -1;
    unsigned warp = 0, block = 0, team = 0;
};

struct Cell {
    Access written, read[4];
    unsigned next = 0;
};

static std::unordered_map<uintptr_t, Cell>* cells;
static std::string* race;

static UNWATCHED bool ordered(const Access& then, const Access& now) {
    if (then.fibre < 0 || then.fibre == now.fibre) return true;
    const int threads = (int)world->block_dim.x, team = threads * (int)world->together;
    if (then.fibre / team != now.fibre / team) return false;  // another candidate
    if (then.fibre / threads != now.fibre / threads) return then.team != now.team;
    if (then.fibre / 32 != now.fibre / 32) return then.block != now.block;
    return then.warp != now.warp || then.block != now.block;
}

static UNWATCHED bool in_shared(uintptr_t at) {
    const uintptr_t start = (uintptr_t)world->blocks[self().block].shared;
    return at >= start && at < start + world->shared_bytes;
}

static UNWATCHED void tell(const char* what, const Access& then, const Access& now,
                                                                   uintptr_t at) {
    if (!race->empty()) return;
    const bool shared = in_shared(at);
    char text[256];
    snprintf(text, sizeof text, "a race in %s memory: thread %d %s what thread %d accesses, without a barrier between",
             shared ? "shared" : "global", now.fibre, what, then.fibre);
    *race = text;
}

static UNWATCHED void look_closely(uintptr_t at, bool writes) {
    const Fibre& fibre = *world->now;
    const uintptr_t stack = (uintptr_t)world->stacks[fibre.number];
    if (at >= stack && at < stack + STACK) return;
    Access now;
    const int threads = (int)world->block_dim.x;
    now.fibre = (int)world->first_block * threads + fibre.number;
    now.warp = fibre.meetings;
    now.block = world->blocks[fibre.block].meetings;
    now.team = world->meetings;
    Cell& cell = (*cells)[at];
    const int last = cell.written.fibre >= 0 ? cell.written.fibre : cell.read[0].fibre;
    if (in_shared(at) && last >= 0 && last / threads != now.fibre / threads) cell = Cell();  // another block's, gone
    if (!ordered(cell.written, now)) tell(writes ? "writes" : "reads", cell.written, now, at);
    if (writes) {
        for (const Access& each : cell.read)
            if (!ordered(each, now)) tell("writes", each, now, at);
        cell.written = now;
    } else {
        for (Access& each : cell.read)
            if (each.fibre == now.fibre || each.fibre < 0) {
                each = now;
                return;
            }
        cell.read[cell.next++ % 4] = now;  // as many as are likely to tell
    }
}

static UNWATCHED void look_at(uintptr_t at, bool writes) {
    static thread_local bool looking;  // the standard library's own functions are watched as well
    if (looking || world == nullptr || world->now == nullptr) return;
    looking = true;
    look_closely(at, writes);
    looking = false;
}

UNWATCHED void begin_watching() {
    if (cells == nullptr) {
        cells = new std::unordered_map<uintptr_t, Cell>();
        race = new std::string();
    }
    cells->clear();  // a launch waits for those before it
}

UNWATCHED const char* found_race() {
    static std::string told;
    told = *race;
    race->clear();
    return told.empty() ? nullptr : told.c_str();
}

}  // namespace simulator

#define ACCESS(bytes)                                                                                           \
    void __tsan_read##bytes(void* at) {                                                                         \
        for (int k = 0; k < (bytes + 3) / 4; ++k) simulator::look_at((uintptr_t)at + 4 * k, false);             \
    }                                                                                                           \
    void __tsan_write##bytes(void* at) {                                                                        \
        for (int k = 0; k < (bytes + 3) / 4; ++k) simulator::look_at((uintptr_t)at + 4 * k, true);              \
    }                                                                                                           \
    void __tsan_unaligned_read##bytes(void* at) { __tsan_read##bytes(at); }                                     \
    void __tsan_unaligned_write##bytes(void* at) { __tsan_write##bytes(at); }                                   \
    void __tsan_volatile_read##bytes(void*) {}                                                                  \
    void __tsan_volatile_write##bytes(void*) {}
extern "C" {
#pragma GCC diagnostic ignored "-Wbuiltin-declaration-mismatch"
ACCESS(1) ACCESS(2) ACCESS(4) ACCESS(8) ACCESS(16)
void __tsan_read_range(void* at, unsigned long size) {
    for (unsigned long k = 0; k < size; k += 4) simulator::look_at((uintptr_t)at + k, false);
}
void __tsan_write_range(void* at, unsigned long size) {
    for (unsigned long k = 0; k < size; k += 4) simulator::look_at((uintptr_t)at + k, true);
}
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
}
