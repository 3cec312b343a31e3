// Forward and backward walk of one block over a tile of samples.
//
// A lane holds V samples (lane, lane + 32, …), a warp one neuron, so an edge is one read of (place, weight) for the
// warp and V conflict-free reads of its source. Three kinds of edges, which lie one after another in each row because
// rows are sorted by source and neurons by group:
//     outer     from an input: no order among them, all neurons at once
//     earlier   from a neuron of an earlier group: all neurons of the group at once, after the groups before
//     inner     from a neuron of the same group. Samples are independent, so a warp that owns 32 samples walks the
//               group alone, in order, without a barrier.
// So a deep graph costs two barriers a group, not one a neuron. Backward the same in reverse, by columns; the gradients
// of the weights depend on nothing but finished neurons and come last, by rows, all edges at once.
//
// Rows of the matrices of activations are `stride` = samples + 1 numbers apart: neither a warp that reads a row nor one
// that fills a column meets its own banks.
#pragma once
#include "math.cuh"

struct alignas(2 * sizeof(real)) Link {  // one load, not two
    int at;       // where the source's (target's) row begins, in numbers
    real weight;  // rows only
};

// Where the activations of a tile are.
struct Tile {
    real* inputs;  // (slots, stride)
    real* h;       // (m, stride) what neurons emit
    real* g;       // (m, stride) gradients with respect to z = x + b
    real* z;       // (m, stride) where a derivative or a linear readout needs it, else null
    real* o;       // (m, stride) what the outputs send back in a linear readout, else null
};

// What a block must know of a graph; neurons that are no inputs are numbered 0 … m - 1 in the order of the schedule.
struct Walk {
    int m, n_outputs, n_groups, stride;
    bool linear;                 // outputs read z of their sources, not h
    const unsigned char* codes;  // (m,) activations
    const int* group_ptr;      // (n_groups + 1,)
    const int* group_ahead;    // (n_groups,) first neuron of a group with inner in-edges: it and those after it wait
    const int* group_back;     // (n_groups,) behind its last neuron with inner out-edges
    const int* row_ptr;        // (m + 1,) where a row's slots begin
    const int* row_outer;      // (m,) behind its last outer edge
    const int* row_earlier;    // (m,) behind its last earlier edge
    const int* row_end;        // (m,) behind its last edge
    const Link* links;         // live edges by row
    const int* column_ptr;     // (m + 1,) where a column's slots begin
    const int* column_inner;   // (m,) behind its last inner edge
    const int* column_later;   // (m,) behind its last edge to a later group that is no output
    const int* column_end;     // (m,)
    const int* column_at;      // (slots,) where the target's row begins
    const int* column_edge;    // (slots,) number of the edge
    const real* weight;        // (E,) of every edge, by number
    const real* bias;          // (m,)
};

template <int V>
DEVICE void add_row(real (&sum)[V], const Link* links, int first, int last, const real* rows) {
    int e = first;
    for (; e + 4 <= last; e += 4) {
        Link link[4];
#pragma unroll
        for (int k = 0; k < 4; ++k) link[k] = links[e + k];
#pragma unroll
        for (int k = 0; k < 4; ++k)
#pragma unroll
            for (int v = 0; v < V; ++v) sum[v] = fma(link[k].weight, rows[link[k].at + WARP * v], sum[v]);
    }
    for (; e < last; ++e) {
        Link link = links[e];
#pragma unroll
        for (int v = 0; v < V; ++v) sum[v] = fma(link.weight, rows[link.at + WARP * v], sum[v]);
    }
}

template <int V>
DEVICE void add_column(real (&sum)[V], const Walk& w, int first, int last, const real* rows) {
    int q = first;
    for (; q + 4 <= last; q += 4) {
        int at[4];
        real weight[4];
#pragma unroll
        for (int k = 0; k < 4; ++k) {
            at[k] = w.column_at[q + k];
            weight[k] = w.weight[w.column_edge[q + k]];
        }
#pragma unroll
        for (int k = 0; k < 4; ++k)
#pragma unroll
            for (int v = 0; v < V; ++v) sum[v] = fma(weight[k], rows[at[k] + WARP * v], sum[v]);
    }
    for (; q < last; ++q) {
        real weight = w.weight[w.column_edge[q]];
#pragma unroll
        for (int v = 0; v < V; ++v) sum[v] = fma(weight, rows[w.column_at[q] + WARP * v], sum[v]);
    }
}

DEVICE void finish_neuron(const Walk& w, const Tile& tile, int i, int at, real sum) {
    real z = sum + w.bias[i];
    if (tile.z != nullptr) tile.z[at] = z;
    tile.h[at] = activate(w.codes[i], z);
}

// What the neurons that row i reads send to it.
DEVICE const real* sent_to(const Walk& w, const Tile& tile, int i) {
    return w.linear && i >= w.m - w.n_outputs ? tile.z : tile.h;
}

// z and h of every neuron. Ends with a barrier.
template <int V>
DEVICE void forward_tile(const Walk& w, const Tile& tile) {
    const int lane = lane_number(), warp = warp_number(), warps = warp_count();
    for (int i = warp; i < w.m; i += warps) {
        real sum[V] = {};
        add_row<V>(sum, w.links, w.row_ptr[i], w.row_outer[i], tile.inputs + lane);
#pragma unroll
        for (int v = 0; v < V; ++v) tile.h[i * w.stride + lane + WARP * v] = sum[v];
    }
    __syncthreads();
    for (int group = 0; group < w.n_groups; ++group) {
        const int first = w.group_ptr[group], last = w.group_ptr[group + 1];
        const int ahead = w.group_ahead[group];
        for (int i = first + warp; i < last; i += warps) {
            real sum[V];
            const int at = i * w.stride + lane;
#pragma unroll
            for (int v = 0; v < V; ++v) sum[v] = tile.h[at + WARP * v];
            add_row<V>(sum, w.links, w.row_outer[i], w.row_earlier[i], sent_to(w, tile, i) + lane);
#pragma unroll
            for (int v = 0; v < V; ++v) {
                if (i >= ahead)
                    tile.h[at + WARP * v] = sum[v];
                else
                    finish_neuron(w, tile, i, at + WARP * v, sum[v]);
            }
        }
        __syncthreads();
        if (ahead < last) {
            for (int v = warp; v < V; v += warps) {
                const int sample = lane + WARP * v;
                for (int i = ahead; i < last; ++i) {
                    real sum[1] = {tile.h[i * w.stride + sample]};
                    add_row<1>(sum, w.links, w.row_earlier[i], w.row_end[i], tile.h + sample);
                    finish_neuron(w, tile, i, i * w.stride + sample, sum[0]);
                }
            }
            __syncthreads();
        }
    }
}

DEVICE void finish_gradient(const Walk& w, const Tile& tile, int j, int at, real sum) {
    real z = tile.z != nullptr ? tile.z[at] : real(0);
    sum *= derivative(w.codes[j], tile.h[at], z);
    tile.g[at] = tile.o != nullptr && j < w.m - w.n_outputs ? sum + tile.o[at] : sum;
}

// g of every computational neuron, from the gradients of the outputs' values. Begins behind a barrier and ends with one.
template <int V>
DEVICE void backward_tile(const Walk& w, const Tile& tile) {
    const int lane = lane_number(), warp = warp_number(), warps = warp_count();
    const int computational = w.m - w.n_outputs;
    for (int i = computational + warp; i < w.m; i += warps) {
        if (w.codes[i] == ACT_IDENTITY) continue;
#pragma unroll
        for (int v = 0; v < V; ++v) {
            const int at = i * w.stride + lane + WARP * v;
            finish_gradient(w, tile, i, at, tile.g[at]);
        }
    }
    __syncthreads();
    for (int j = warp; j < computational; j += warps) {
        real sum[V] = {};
        add_column<V>(sum, w, w.column_later[j], w.column_end[j], tile.g + lane);
#pragma unroll
        for (int v = 0; v < V; ++v) {
            const int at = j * w.stride + lane + WARP * v;
            if (tile.o != nullptr) tile.o[at] = sum[v];
            tile.g[at] = tile.o != nullptr ? real(0) : sum[v];
        }
    }
    __syncthreads();
    for (int group = w.n_groups - 1; group >= 0; --group) {
        const int first = w.group_ptr[group];
        const int last = w.group_ptr[group + 1] < computational ? w.group_ptr[group + 1] : computational;
        if (first >= last) continue;  // outputs
        const int back = w.group_back[group];
        for (int j = first + warp; j < last; j += warps) {
            real sum[V];
            const int at = j * w.stride + lane;
#pragma unroll
            for (int v = 0; v < V; ++v) sum[v] = tile.g[at + WARP * v];
            add_column<V>(sum, w, w.column_inner[j], w.column_later[j], tile.g + lane);
#pragma unroll
            for (int v = 0; v < V; ++v) {
                if (j < back)
                    tile.g[at + WARP * v] = sum[v];
                else
                    finish_gradient(w, tile, j, at + WARP * v, sum[v]);
            }
        }
        __syncthreads();
        if (back > first) {
            for (int v = warp; v < V; v += warps) {
                const int sample = lane + WARP * v;
                for (int j = back - 1; j >= first; --j) {
                    real sum[1] = {tile.g[j * w.stride + sample]};
                    add_column<1>(sum, w, w.column_ptr[j], w.column_inner[j], tile.g + sample);
                    finish_gradient(w, tile, j, j * w.stride + sample, sum[0]);
                }
            }
            __syncthreads();
        }
    }
}

// Eight sums over the 32 lanes at once, nine shuffles instead of forty: each step halves how many numbers a lane is
// responsible for. Lane l returns sum number 4 l16 + 2 l8 + l4 (its bits), so four lanes each have the same.
DEVICE real eight_sums(const real (&p)[8], int lane) {
    real four[4], two[2];
#pragma unroll
    for (int k = 0; k < 4; ++k) {
        real keep = lane & 16 ? p[k + 4] : p[k], send = lane & 16 ? p[k] : p[k + 4];
        four[k] = keep + __shfl_xor_sync(EVERY_LANE, send, 16);
    }
#pragma unroll
    for (int k = 0; k < 2; ++k) {
        real keep = lane & 8 ? four[k + 2] : four[k], send = lane & 8 ? four[k] : four[k + 2];
        two[k] = keep + __shfl_xor_sync(EVERY_LANE, send, 8);
    }
    real keep = lane & 4 ? two[1] : two[0], send = lane & 4 ? two[0] : two[1];
    real one = keep + __shfl_xor_sync(EVERY_LANE, send, 4);
    one += __shfl_xor_sync(EVERY_LANE, one, 2);
    return one + __shfl_xor_sync(EVERY_LANE, one, 1);
}

DEVICE int place_of_eight(int lane) { return (lane >> 2 & 4) + (lane >> 2 & 2) + (lane >> 2 & 1); }

template <int V>
DEVICE void row_gradients(const Walk& w, int first, int last, const real (&g)[V], const real* rows, int lane,
                          bool fresh, real* grad_weight) {
    for (int e = first; e < last; e += 8) {
        real p[8];
#pragma unroll
        for (int k = 0; k < 8; ++k) {
            p[k] = real(0);
            if (e + k < last) {
                const real* source = rows + w.links[e + k].at;
#pragma unroll
                for (int v = 0; v < V; ++v) p[k] = fma(g[v], source[WARP * v], p[k]);
            }
        }
        real sum = eight_sums(p, lane);
        int slot = e + place_of_eight(lane);
        if ((lane & 3) == 0 && slot < last) grad_weight[slot] = fresh ? sum : grad_weight[slot] + sum;
    }
}

// Gradients of weights (by slot of their row) and biases, from g and h; added unless `fresh`.
template <int V>
DEVICE void weight_gradients(const Walk& w, const Tile& tile, bool fresh, real* grad_weight, real* grad_bias) {
    const int lane = lane_number(), warp = warp_number(), warps = warp_count();
    for (int i = warp; i < w.m; i += warps) {
        real g[V], sum = real(0);
#pragma unroll
        for (int v = 0; v < V; ++v) {
            g[v] = tile.g[i * w.stride + lane + WARP * v];
            sum += g[v];
        }
        row_gradients<V>(w, w.row_ptr[i], w.row_outer[i], g, tile.inputs + lane, lane, fresh, grad_weight);
        row_gradients<V>(w, w.row_outer[i], w.row_end[i], g, sent_to(w, tile, i) + lane, lane, fresh, grad_weight);
        sum = warp_sum(sum);
        if (lane == 0) grad_bias[i] = fresh ? sum : grad_bias[i] + sum;
    }
}
