// Training a population: each candidate on a team of blocks, for many steps, without leaving the device.
//
// A step, with what is shared out over the blocks of a team (rows: in-edges of a neuron, a warp each):
//     1  structure   closeness d, c and weight W of the rows; live edges packed to the front of each row
//     2  columns     where an edge died or came alive: live out-edges packed to the front of the column
//     3  network     tiles of the batch: samples, forward, objective, backward
//     4  update      gradients summed over blocks; optimiser
// The blocks of a team meet between these; with one block a team that is a block barrier. The processor's counterpart is
// nas.training.fused._kernels, nas.training.reference the specification. Every sum is taken in a fixed order, so equal
// launches give equal bits.
#include "candidate.h"
#include "closeness.cuh"
#include "optimisers.cuh"
#include "order.cuh"
#include "terms.cuh"
#include "walk.cuh"

enum { P_LOSS, P_CORRECT, P_CUTOFF, P_LIVE, P_CHANGED, P_TOTALS, PARTIALS = P_TOTALS + MEASURES };
enum { OBJECTIVE, TOTAL, CORRECT, LIVE, STEPS_DONE, FINITE, LOST, TOTALS };
enum { NEAR_CHUNK = 1, LIVE_CHUNK = 2 };

#define SHIFT_PLACE 0x80000000u  // stands for an input where places of images are drawn: no input has this number
#define TINY real(1e-30)  // in place of d = 0, which has no logarithm

// A block's place in its team, and what it keeps in shared memory.
struct Place {
    const Candidate* c;
    int rank, first, step_of_rows;  // warp's first row, and how far to the next
    double* sums;                   // (warps, PARTIALS)
    double* totals;                 // (PARTIALS,) of the team
    int* rows;                      // (samples,) of the tile
    volatile int* votes;            // (2,)
};

// Adds what each warp counted to the block's partial sums; `mine` is looked at in lane 0.
DEVICE void hand_in(const Place& p, const double* mine, int from, int to) {
    const int warp = warp_number();
    __syncthreads();
    if (lane_number() == 0)
        for (int k = from; k < to; ++k) p.sums[warp * PARTIALS + k] = mine[k];
    __syncthreads();
    if ((int)threadIdx.x >= from && (int)threadIdx.x < to) {
        double sum = 0;
        for (int w = 0; w < warp_count(); ++w) sum += p.sums[w * PARTIALS + threadIdx.x];
        p.c->partial[p.rank * PARTIALS + threadIdx.x] = sum;
    }
}

// The team's totals of what its blocks handed in before the last meeting, in shared memory; ends with a barrier.
DEVICE void collect(const Place& p, int from, int to) {
    if ((int)threadIdx.x >= from && (int)threadIdx.x < to) {
        double sum = 0;
        for (int b = 0; b < p.c->team; ++b) sum += p.c->partial[b * PARTIALS + threadIdx.x];
        p.totals[threadIdx.x] = sum;
    }
    __syncthreads();
}

// Flags that threads set and read at the same time.
DEVICE void set_flag(unsigned char* flag) { *(volatile unsigned char*)flag = 1; }
DEVICE bool is_set(const unsigned char* flag) { return *(const volatile unsigned char*)flag != 0; }

DEVICE int gain_at(const Candidate& c) { return c.weighted ? c.n_edges : 0; }
DEVICE int bias_at(const Candidate& c) { return gain_at(c) + (c.gained ? c.m : 0); }
DEVICE int closeness_at(const Candidate& c) { return bias_at(c) + c.m; }
DEVICE int cutoff_at(const Candidate& c) { return closeness_at(c) + 7 * c.m; }

// Where the row of an edge's source begins; sources are slots of inputs, then n_slots + number of the neuron.
DEVICE int source_row(const Candidate& c, int source, int stride) {
    return (source < c.n_slots ? source : source - c.n_slots) * stride;
}

// How much an edge of strength `size` = |d| counts as live; sharpness is 1 / temperature.
DEVICE real smooth_share(real size, real kappa, real sharpness) {
    if (sharpness == real(2)) return size * size / (size * size + kappa * kappa);  // the same without logarithms
    return sigmoid(sharpness * log(fmax(size, TINY) / kappa));
}

DEVICE void structure(const Place& p, int stride, real kappa, real sharpness, double* mine) {
    const Candidate& c = *p.c;
    const int lane = lane_number();
    const bool penal = of_shares(c);
    const real weakest = kappa * exp(log(penal ? real(1e-8) : real(1e-4)) / sharpness);
    const real scale = real(1) / (real(1) - kappa);
    const unsigned before_me = (1u << lane) - 1u;
    double totals[MEASURES] = {}, live = 0, changed = 0;
    for (int i = p.first; i < c.m; i += p.step_of_rows) {
        const int start = c.row_ptr[i], end = c.row_ptr[i + 1];
        const Row row = derive(c.theta + closeness_at(c), c.m, i, real(c.period));
        const real gain = c.gained ? c.theta[gain_at(c) + i] : real(1);
        const real reach = real(2) * log(fmax(fabs(row.amplitude) / weakest, real(1e-30)));
        real sums[MEASURES];
        start_sums(sums);
        int slot = start, outer = 0, earlier = 0, turned = 0;
        unsigned char* flags = c.chunks + c.chunk_ptr[i];
        for (int first = start; first < end; first += WARP, ++flags) {
            const int e = first + lane;
            const bool there = e < end;
            const real x = there ? c.p[e] : real(0);
            const real u = (x - row.centre) * row.inverse;
            const bool near = there && !(u * u > reach);  // NaN is never far
            const unsigned char before = *flags;
            __syncwarp();  // all have read it
            if (__ballot_sync(EVERY_LANE, near) == 0) {
                if (before & LIVE_CHUNK && there) {
                    c.c[e] = 0;
                    if (c.alive[e]) {
                        c.alive[e] = 0;
                        turned++;
                        if (c.sources[e] >= c.n_slots) set_flag(c.dirty + (c.sources[e] - c.n_slots));
                    }
                }
                if (lane == 0) *flags = 0;
                continue;
            }
            const Edge edge = edge_value(row, x);
            const real size = fabs(edge.d);
            const real above = (size - kappa) * scale;
            real strength = above > 0 ? above : real(0);
            if (edge.d != edge.d) strength = edge.d;  // so that the loss tells
            const real closeness = edge.d < 0 ? -strength : strength;
            const bool lives = there && closeness != 0;
            const unsigned living = __ballot_sync(EVERY_LANE, lives);
            if (there) {
                count_edge(c, strength, c.flow_signs[e], smooth_share(size, kappa, sharpness), sums);
                real weight = closeness * gain;
                if (c.weighted) weight *= c.theta[e];
                c.d[e] = edge.d;
                c.c[e] = closeness;
                c.weight[e] = weight;
                c.saved[e] = edge.gauss;
                c.saved[c.n_edges + e] = edge.wave;
                c.saved[2 * c.n_edges + e] = edge.log_base;
                c.saved[3 * c.n_edges + e] = edge.slope;
                if (c.alive[e] != (unsigned char)lives) {
                    c.alive[e] = lives;
                    turned++;
                    if (c.sources[e] >= c.n_slots) set_flag(c.dirty + (c.sources[e] - c.n_slots));
                }
                if (lives) {
                    Link link;
                    link.at = source_row(c, c.sources[e], stride);
                    link.weight = weight;
                    c.links[slot + __popc(living & before_me)] = link;
                }
            }
            outer += __popc(living & __ballot_sync(EVERY_LANE, e < c.outer_ptr[i]));
            earlier += __popc(living & __ballot_sync(EVERY_LANE, e < c.earlier_ptr[i]));
            slot += __popc(living);
            if (lane == 0) *flags = living ? NEAR_CHUNK | LIVE_CHUNK : NEAR_CHUNK;
        }
        count_row(c, i, sums, totals);
        changed += warp_sum(turned);
        live += slot - start;
        if (lane == 0) {
            c.row_outer[i] = start + outer;
            c.row_earlier[i] = start + earlier;
            c.row_end[i] = slot;
        }
    }
    mine[P_LIVE] = live;
    mine[P_CHANGED] = changed;
    for (int q = 0; q < MEASURES; ++q) mine[P_TOTALS + q] = totals[q];
}

// The same without closeness: all edges are live and their weights are parameters.
DEVICE void free_structure(const Place& p, double* mine) {
    const Candidate& c = *p.c;
    double totals[MEASURES] = {}, live = 0;
    for (int i = p.first; i < c.m; i += p.step_of_rows) {
        real sums[MEASURES];
        start_sums(sums);
        for (int e = c.row_ptr[i] + lane_number(); e < c.row_ptr[i + 1]; e += WARP)
            count_edge(c, fabs(c.theta[e]), c.flow_signs[e], real(1), sums);
        count_row(c, i, sums, totals);
        live += c.row_ptr[i + 1] - c.row_ptr[i];
    }
    mine[P_LIVE] = live;
    mine[P_CHANGED] = 0;
    for (int q = 0; q < MEASURES; ++q) mine[P_TOTALS + q] = totals[q];
}

DEVICE void columns(const Place& p, int stride) {
    const Candidate& c = *p.c;
    const int lane = lane_number();
    const unsigned before_me = (1u << lane) - 1u;
    for (int j = p.first; j < c.m - c.n_outputs; j += p.step_of_rows) {
        const bool dirty = c.dirty[j];
        __syncwarp();  // all have read it
        if (!dirty) continue;
        const int start = c.column_ptr[j], end = c.column_ptr[j + 1];
        int slot = start, inner = 0, later = 0;
        for (int first = start; first < end; first += WARP) {
            const int q = first + lane;
            const bool lives = q < end && c.alive[c.column_edges[q]];
            const unsigned living = __ballot_sync(EVERY_LANE, lives);
            if (lives) {
                const int at = slot + __popc(living & before_me);
                c.live_at[at] = c.column_targets[q] * stride;
                c.live_edge[at] = c.column_edges[q];
            }
            inner += __popc(living & __ballot_sync(EVERY_LANE, q < c.inner_ptr[j]));
            later += __popc(living & __ballot_sync(EVERY_LANE, q < c.later_ptr[j]));
            slot += __popc(living);
        }
        if (lane == 0) {
            c.column_inner[j] = start + inner;
            c.column_later[j] = start + later;
            c.column_end[j] = slot;
            c.dirty[j] = 0;
        }
    }
}

// Whether some output has no path of live edges from any input; for one block, with the answer in every thread.
DEVICE bool loses_output(const Place& p, int stride) {
    const Candidate& c = *p.c;
    const int lane = lane_number();
    // The flags are read while others set them: whoever misses one comes again.
    for (int i = threadIdx.x; i < c.m; i += blockDim.x) c.reached[i] = c.row_outer[i] > c.row_ptr[i];
    for (;;) {  // what is reached grows by one level at least in every turn, nearly always by all in the first
        if (threadIdx.x == 0) p.votes[0] = p.votes[1] = 0;
        __syncthreads();
        for (int i = warp_number(); i < c.m; i += warp_count()) {
            const bool known = is_set(c.reached + i);
            __syncwarp();  // all have read it
            if (known) continue;
            bool found = false;
            for (int first = c.row_outer[i]; first < c.row_end[i] && !found; first += WARP) {
                const int e = first + lane;
                found = __ballot_sync(EVERY_LANE, e < c.row_end[i] && is_set(c.reached + c.links[e].at / stride)) != 0;
            }
            if (lane == 0 && found) {
                set_flag(c.reached + i);
                p.votes[0] = 1;  // something has changed
            }
            if (lane == 0 && !found && i >= c.m - c.n_outputs) p.votes[1] = 1;  // an output is not reached so far
        }
        __syncthreads();
        const bool grows = p.votes[0], lost = p.votes[1];
        __syncthreads();
        if (!lost || !grows) return lost;
    }
}

// Where in the tables the stretch begins that an input of a sample takes; of the launch's blocks, one after the other.
DEVICE long long noise_place(const Candidate& c, long long step, int sample, unsigned input) {
    wide random = (wide)(step * 4096 + sample / c.noise_group) * 0x9E3779B97F4A7C15ull + (wide)input;
    random = (random ^ random >> 30) * 0xBF58476D1CE4E5B9ull;
    random = (random ^ random >> 27) * 0x94D049BB133111EBull;
    const long long block = step / c.noise_block - c.first_step / c.noise_block;
    return block * ((1ll << c.noise_bits) + c.noise_group) + (long long)(random >> (64 - c.noise_bits)) +
           sample % c.noise_group;
}

DEVICE int clamped(int value, int most) { return value < 0 ? 0 : value > most ? most : value; }

// From which input an image that is moved takes the value of input j.
DEVICE int moved_pixel(const Candidate& c, int j, int down, int right) {
    const int row = clamped(j / c.width - down, c.n_inputs / c.width - 1);
    const int column = clamped(j % c.width / c.channels - right, c.width / c.channels - 1);
    return row * c.width + column * c.channels + j % c.channels;
}

// Numbers of the tile's samples, and their inputs; ends with a barrier. Noise: nas.training.noise.
template <int V>
DEVICE void load_tile(const Place& p, const Tile& tile, int stride, int k, int first, int count) {
    const Candidate& c = *p.c;
    const int lane = lane_number();
    const long long step = (long long)c.first_step + k;
    for (int s = threadIdx.x; s < count; s += blockDim.x) {
        if (c.numbers != nullptr) {
            p.rows[s] = c.numbers[(long long)k * c.batch + first + s];
        } else {
            const int batches = c.n_samples / c.batch;
            p.rows[s] = shuffled(unsigned(step % batches) * c.batch + first + s, c.n_samples, c.seed,
                                 unsigned(step / batches));
        }
    }
    __syncthreads();
    for (int s = warp_number(); s < WARP * V; s += warp_count()) {
        int down = 0, right = 0;
        if (c.shifts != nullptr && s < count) {
            const long long at = noise_place(c, step, first + s, SHIFT_PLACE);
            down = c.shifts[2 * at], right = c.shifts[2 * at + 1];
        }
        for (int slot = lane; slot < c.n_slots; slot += WARP) {
            real x = 0;
            if (s < count) {
                const int j = c.slot_input[slot];
                x = c.x[(long long)p.rows[s] * c.n_inputs + (down || right ? moved_pixel(c, j, down, right) : j)];
                if (c.factor != nullptr) {
                    const long long at = noise_place(c, step, first + s, j);
                    x = fma(x, c.factor[at], c.offset[at] * real(c.deviations[k]));
                }
            }
            tile.inputs[slot * stride + s] = x;
        }
    }
    __syncthreads();
}

// Objective of one sample; gradients of the outputs' values into tile.g.
DEVICE void objective_of_sample(const Candidate& c, const Tile& tile, int stride, int s, int row, bool there,
                                double& loss, int& correct) {
    const int base = (c.m - c.n_outputs) * stride + s;
    const real* y = tile.h + base;
    real* g = tile.g + base;
    if (!there) {
        for (int o = 0; o < c.n_outputs; ++o) g[o * stride] = 0;
        return;
    }
    const real scale = real(c.k_objective / c.batch);
    if (!c.classifies) {
        for (int o = 0; o < c.n_outputs; ++o) {
            const real error = y[o * stride] - c.y[(long long)row * c.n_outputs + o];
            loss += error * error / c.n_outputs;
            g[o * stride] = real(2) * scale / c.n_outputs * error;
        }
        return;
    }
    real top = y[0];
    for (int o = 1; o < c.n_outputs; ++o) top = fmax(top, y[o * stride]);
    real sum = 0;
    for (int o = 0; o < c.n_outputs; ++o) {
        const real grown = exp(y[o * stride] - top);
        g[o * stride] = grown;
        sum += grown;
    }
    const real share = scale / sum;
    for (int o = 0; o < c.n_outputs; ++o) g[o * stride] *= share;
    const int label = c.classes[row];
    const real z = y[label * stride];
    loss += top + log(sum) - z;
    correct += z >= top;
    g[label * stride] -= scale;
}

// One optimiser step on element `at` of the parameter vector.
struct Optimiser {
    int kind;
    real bias_1, bias_2;  // 1 - BETA_1^step, sqrt(1 - BETA_2^step)
};

DEVICE void update(const Candidate& c, const Optimiser& o, int at, real gradient, real rate, real decay) {
    real value = c.theta[at], one = c.moment_1[at], two = c.moment_2[at];
    optimise(o.kind, value, gradient, one, two, rate, decay, o.bias_1, o.bias_2);
    c.theta[at] = value, c.moment_1[at] = one, c.moment_2[at] = two;
}

// What the blocks that had tiles found for one slot of the rows.
DEVICE real gathered(const real* values, int at, int size, int blocks) {
    real sum = values[at];
    for (int b = 1; b < blocks; ++b) sum += values[(long long)b * size + at];
    return sum;
}

DEVICE void update_rows(const Place& p, const Optimiser& o, int tile_blocks, real kappa, real sharpness,
                        const real* pulls, real rate, double* mine) {
    const Candidate& c = *p.c;
    const int lane = lane_number();
    const bool penal = of_shares(c);
    const real scale = real(1) / (real(1) - kappa);
    const real decay = real(c.weight_decay), speed = rate * real(c.closeness_rate), stretch = rate * real(c.length_rate);
    const unsigned before_me = (1u << lane) - 1u;
    double to_cutoff = 0;
    for (int i = p.first; i < c.m; i += p.step_of_rows) {
        const int start = c.row_ptr[i], end = c.row_ptr[i + 1];
        const bool fixed = c.linear && i >= c.m - c.n_outputs;  // such outputs have no gain and bias
        if (lane == 0 && !fixed)
            update(c, o, bias_at(c) + i, gathered(c.grad_bias, i, c.m, tile_blocks), rate, real(0));
        if (!c.closeness) {
            for (int e = start + lane; e < end; e += WARP) {
                const real w = c.theta[e];
                const real sign = w > 0 ? real(1) : (w < 0 ? real(-1) : real(0));
                const real gradient = gathered(c.grad_weight, e, c.n_edges, tile_blocks);
                const real slope = strength_slope(pulls, w * sign, c.flow_signs[e]);
                update(c, o, e, slope != 0 ? fma(slope, sign, gradient) : gradient, rate, decay);
                c.links[e].weight = c.weight[e] = c.theta[e];
            }
            continue;
        }
        const Row row = derive(c.theta + closeness_at(c), c.m, i, real(c.period));
        const real gain = c.gained ? c.theta[gain_at(c) + i] : real(1);
        real prices[MEASURES];
        row_prices(c, i, pulls, prices);
        real row_cutoff = 0, to_gain = 0, sums[7] = {};
        int slot = start;
        const unsigned char* flags = c.chunks + c.chunk_ptr[i];
        for (int first = start; first < end; first += WARP, ++flags) {
            const int e = first + lane;
            const bool there = e < end;
            if (!(*flags & NEAR_CHUNK)) {
                if (c.weighted && there) update(c, o, e, real(0), rate, decay);
                continue;
            }
            const bool lives = there && c.alive[e];
            const unsigned living = __ballot_sync(EVERY_LANE, lives);
            const int mine_at = slot + __popc(living & before_me);
            slot += __popc(living);
            if (!there) continue;
            const real d = c.d[e], closeness = c.c[e];
            const real outer = lives ? gathered(c.grad_weight, mine_at, c.n_edges, tile_blocks) : real(0);
            to_gain = fma(outer, closeness, to_gain);
            real to_c = outer * gain;
            if (c.weighted) {
                const real w = c.theta[e];
                update(c, o, e, to_c * closeness, rate, decay);
                to_c *= w;
            }
            const real sign = d > 0 ? real(1) : real(-1);
            const real size = d * sign;
            to_c = fma(strength_slope(pulls, closeness * sign, c.flow_signs[e]), sign, to_c);
            real to_d = size > kappa ? to_c * scale : real(0);  // a dead edge has no gradient
            row_cutoff = fma(to_d * sign * (size - real(1)), scale, row_cutoff);
            if (penal) {
                const real share = smooth_share(size, kappa, sharpness);
                const real pay = share_slope(pulls, prices, share, c.flow_signs[e]);
                // ds/d|d| = s (1 - s) / (T |d|), ds/dkappa = -s (1 - s) / (T kappa)
                const real steep = share * (real(1) - share) * sharpness * pay;
                if (size > 0) to_d = fma(sign, steep / fmax(size, TINY), to_d);
                row_cutoff -= steep / kappa;
            }
            edge_gradient(row, c.p[e], to_d, c.saved[e], c.saved[c.n_edges + e], c.saved[2 * c.n_edges + e],
                          c.saved[3 * c.n_edges + e], sums);
        }
        __syncwarp();  // all have read the row's parameters; shuffles order no memory
        to_cutoff += warp_sum(row_cutoff);
        if (c.gained) {
            to_gain = warp_sum(to_gain);
            if (lane == 0 && !fixed) update(c, o, gain_at(c) + i, to_gain, rate, decay);
        }
        real own = 0;
#pragma unroll
        for (int which = 0; which < 7; ++which) {
            const real sum = warp_sum(sums[which]);
            if (lane == which) own = sum;
        }
        if (lane < 7 && c.before != nullptr) c.before[lane * c.m + i] = c.theta[closeness_at(c) + lane * c.m + i];
        if (lane < 7)
            update(c, o, closeness_at(c) + lane * c.m + i, chain_rule(row, lane, own), lane < SIGMA ? speed : stretch,
                   real(0));
    }
    mine[P_CUTOFF] = to_cutoff * double(kappa) * (1.0 - double(kappa));
}

// Bytes of shared memory before the activations.
DEVICE size_t reserved(int warps, int samples) {
    return (sizeof(double) * (warps + 1) * PARTIALS + sizeof(int) * (samples + 2) + 15) / 16 * 16;
}

// PLACE: 0 all activations in shared memory, 1 inputs in global memory, 2 all in global memory.
template <int V, int PLACE>
DEVICE void train(const Candidate* all) {
    SHARED_MEMORY(memory);
    const int team = all->team;  // the same for all
    const Candidate& c = all[blockIdx.x / team];
    const int stride = WARP * V + 1, samples = WARP * V;
    const int warp = warp_number(), warps = warp_count();
    Place p;
    p.c = &c;
    p.rank = blockIdx.x % team;
    p.first = p.rank + warp * team;
    p.step_of_rows = warps * team;
    p.sums = (double*)memory;
    p.totals = p.sums + warps * PARTIALS;
    p.votes = (int*)(p.totals + PARTIALS);
    p.rows = (int*)p.votes + 2;
    real* near_memory = (real*)(memory + reserved(warps, samples));
    real* far_memory = c.scratch + (long long)p.rank * c.scratch_size;
    Tile tile;
    tile.inputs = PLACE == 0 ? near_memory : far_memory;
    if (PLACE == 0) near_memory += (long long)c.n_slots * stride;
    if (PLACE > 0) far_memory += (long long)c.n_slots * stride;
    real* rest = PLACE < 2 ? near_memory : far_memory;
    tile.h = rest;
    tile.g = rest + (long long)c.m * stride;
    tile.z = c.keeps_z ? rest + 2ll * c.m * stride : nullptr;
    tile.o = c.linear ? rest + 3ll * c.m * stride : nullptr;
    Walk w;
    w.m = c.m;
    w.n_outputs = c.n_outputs;
    w.n_groups = c.n_groups;
    w.stride = stride;
    w.linear = c.linear;
    w.codes = c.codes;
    w.group_ptr = c.group_ptr;
    w.group_ahead = c.group_ahead;
    w.group_back = c.group_back;
    w.row_ptr = c.row_ptr;
    w.row_outer = c.row_outer;
    w.row_earlier = c.row_earlier;
    w.row_end = c.row_end;
    w.links = c.links;
    w.column_ptr = c.column_ptr;
    w.column_inner = c.column_inner;
    w.column_later = c.column_later;
    w.column_end = c.column_end;
    w.column_at = c.live_at;
    w.column_edge = c.live_edge;
    w.weight = c.weight;
    w.bias = c.theta + bias_at(c);
    const int tiles = (c.batch + samples - 1) / samples;
    const int tile_blocks = tiles < team ? tiles : team;
    real* grad_weight = c.grad_weight + (long long)p.rank * c.n_edges;
    real* grad_bias = c.grad_bias + (long long)p.rank * c.m;
    double power_1 = c.power_1, power_2 = c.power_2;  // of the steps done before
    double mine[PARTIALS] = {};
    if ((int)threadIdx.x < PARTIALS) p.totals[threadIdx.x] = 0;  // some are not collected in every step
    for (int k = 0; k < c.steps; ++k) {
        power_1 *= BETA_1;
        power_2 *= BETA_2;
        const real rate = real(c.rates[k]);
        const bool tells = k + 1 == c.steps;
        const real sharpness = real(c.sharpnesses[k]);
        real kappa = 0, pulls[MEASURES] = {};
        if (c.closeness) {
            kappa = sigmoid(c.theta[cutoff_at(c)]);
            structure(p, stride, kappa, sharpness, mine);
        } else if (tells || of_strength(c)) {
            free_structure(p, mine);
        }
        if (c.closeness || tells || of_strength(c)) {
            hand_in(p, mine, P_LIVE, PARTIALS);
            team_barrier(c.meeting, team);
            collect(p, P_LIVE, PARTIALS);
            pulls_of(c, p.totals + P_TOTALS, pulls);
            if (p.totals[P_CHANGED] > 0) {
                columns(p, stride);
                team_barrier(c.meeting, team);
                if (c.before != nullptr) {
                    if (p.rank == 0 && loses_output(p, stride) && threadIdx.x == 0) c.report[LOST] = 1;
                    team_barrier(c.meeting, team);
                    if (c.report[LOST] != 0) {
                        if (p.rank == 0 && threadIdx.x == 0) c.report[STEPS_DONE] = k;
                        break;
                    }
                }
            }
        }
        double loss = 0;
        int correct = 0;
        for (int number = p.rank; number < tiles; number += team) {
            const int first = number * samples;
            const int count = c.batch - first < samples ? c.batch - first : samples;
            load_tile<V>(p, tile, stride, k, first, count);
            forward_tile<V>(w, tile);
            for (int s = threadIdx.x; s < samples; s += blockDim.x)
                objective_of_sample(c, tile, stride, s, s < count ? p.rows[s] : 0, s < count, loss, correct);
            __syncthreads();
            backward_tile<V>(w, tile);
            weight_gradients<V>(w, tile, number == p.rank, grad_weight, grad_bias);
            __syncthreads();
        }
        mine[P_LOSS] = warp_sum(loss);
        mine[P_CORRECT] = warp_sum(correct);
        hand_in(p, mine, P_LOSS, P_CORRECT + 1);
        team_barrier(c.meeting, team);
        collect(p, P_LOSS, P_CORRECT + 1);
        const double objective = p.totals[P_LOSS] / c.batch;
        const double total = c.k_objective * objective + loss_of(c, p.totals + P_TOTALS) + c.k_constant;
        // Without closeness and terms of strength the counts are not taken in every step, but they are constant and so is their cost.
        const bool finite = isfinite(c.closeness || tells || of_strength(c) ? total : objective);
        if (p.rank == 0 && threadIdx.x == 0 && (tells || !finite)) {
            double* report = c.report;
            report[OBJECTIVE] = objective;
            report[TOTAL] = total;
            report[CORRECT] = p.totals[P_CORRECT] / c.batch;
            report[LIVE] = p.totals[P_LIVE];
            report[STEPS_DONE] = k + 1;
            report[FINITE] = finite;
            for (int q = 0; q < MEASURES; ++q) report[TOTALS + q] = p.totals[P_TOTALS + q];
        }
        if (!finite) break;
        Optimiser o;
        o.kind = c.optimizer;
        o.bias_1 = real(1.0 - power_1);
        o.bias_2 = real(sqrt(1.0 - power_2));
        update_rows(p, o, tile_blocks, kappa, sharpness, pulls, rate, mine);
        if (c.closeness) hand_in(p, mine, P_CUTOFF, P_CUTOFF + 1);
        team_barrier(c.meeting, team);
        if (c.closeness) {
            if (p.rank == 0 && threadIdx.x == 0) {
                double to_cutoff = 0;
                for (int b = 0; b < team; ++b) to_cutoff += c.partial[b * PARTIALS + P_CUTOFF];
                if (c.before != nullptr) c.before[7 * c.m] = c.theta[cutoff_at(c)];
                update(c, o, cutoff_at(c), real(to_cutoff), rate * real(c.closeness_rate), real(0));
            }
            team_barrier(c.meeting, team);
        }
    }
}

#define TRAIN(V, PLACE) \
    KERNEL(train_##V##_##PLACE, MOST_THREADS)(const void* jobs, int) { train<V, PLACE>((const Candidate*)jobs); }
EACH_VARIANT(TRAIN)
