// One network on a batch, forward and backward, for use as a torch module: a block a tile of samples.
//
// pack brings the parameters into the order of the schedule, reduce adds up what the blocks found and brings it back.
#include "module.h"
#include "walk.cuh"

DEVICE void walk_of(const Module& c, Walk& w, int stride) {
    w.m = c.m;
    w.n_outputs = c.n_outputs;
    w.n_groups = c.n_groups;
    w.stride = stride;
    w.linear = false;
    w.codes = c.codes;
    w.group_ptr = c.group_ptr;
    w.group_ahead = c.group_ahead;
    w.group_back = c.group_back;
    w.row_ptr = c.row_ptr;
    w.row_outer = c.outer_ptr;
    w.row_earlier = c.earlier_ptr;
    w.row_end = c.row_ptr + 1;
    w.links = c.links;
    w.column_ptr = c.column_ptr;
    w.column_inner = c.inner_ptr;
    w.column_later = c.later_ptr;
    w.column_end = c.column_ptr + 1;
    w.column_at = c.column_at;
    w.column_edge = c.column_edges;
    w.weight = c.weight;
    w.bias = c.bias;
}

template <int V, int PLACE>
DEVICE void place_tile(const Module& c, Tile& tile, unsigned char* memory) {
    const int stride = WARP * V + 1;
    real* near_memory = (real*)memory;
    real* far_memory = c.scratch + (long long)blockIdx.x * c.scratch_size;
    tile.inputs = PLACE == 0 ? near_memory : far_memory;
    if (PLACE == 0) near_memory += (long long)c.n_slots * stride;
    if (PLACE > 0) far_memory += (long long)c.n_slots * stride;
    real* rest = PLACE < 2 ? near_memory : far_memory;
    tile.h = rest;
    tile.g = rest + (long long)c.m * stride;
    tile.z = c.keeps_z ? rest + 2ll * c.m * stride : nullptr;
    tile.o = nullptr;
}

// Inputs of a tile; samples that only fill it up are 0. Ends with a barrier.
template <int V>
DEVICE void load_inputs(const Module& c, const Tile& tile, int first, int count) {
    const int stride = WARP * V + 1;
    for (int s = warp_number(); s < WARP * V; s += warp_count())
        for (int slot = lane_number(); slot < c.n_slots; slot += WARP)
            tile.inputs[slot * stride + s] =
                s < count ? c.x[(long long)(first + s) * c.n_inputs + c.slot_input[slot]] : real(0);
    __syncthreads();
}

KERNEL_OF(Module, module_pack, MOST_THREADS) {
    for (int e = blockIdx.x * blockDim.x + threadIdx.x; e < c.n_edges; e += gridDim.x * blockDim.x) {
        Link link;
        link.at = c.source_at[e];
        link.weight = c.given_weight[c.edge_order[e]];
        c.links[e] = link;
        c.weight[e] = link.weight;
    }
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < c.m; i += gridDim.x * blockDim.x)
        c.bias[i] = c.given_bias == nullptr ? real(0) : c.given_bias[c.neuron_order[i]];
}

template <int V, int PLACE>
DEVICE void module_forward(const Module& c) {
    SHARED_MEMORY(memory);
    const int stride = WARP * V + 1, samples = WARP * V;
    Tile tile;
    place_tile<V, PLACE>(c, tile, memory);
    Walk w;
    walk_of(c, w, stride);
    for (int first = blockIdx.x * samples; first < c.batch; first += gridDim.x * samples) {
        const int count = c.batch - first < samples ? c.batch - first : samples;
        load_inputs<V>(c, tile, first, count);
        forward_tile<V>(w, tile);
        const int base = c.m - c.n_outputs;
        for (int k = threadIdx.x; k < count * c.n_outputs; k += blockDim.x)
            c.y[(long long)first * c.n_outputs + k] = tile.h[(base + k % c.n_outputs) * stride + k / c.n_outputs];
        if (c.kept != nullptr) {
            real* kept = c.kept + (long long)(first / samples) * c.m * samples * (c.keeps_z ? 2 : 1);
            for (int i = warp_number(); i < c.m; i += warp_count())
                for (int s = lane_number(); s < samples; s += WARP) {
                    kept[i * samples + s] = tile.h[i * stride + s];
                    if (c.keeps_z) kept[(c.m + i) * samples + s] = tile.z[i * stride + s];
                }
        }
        __syncthreads();
    }
}

template <int V, int PLACE>
DEVICE void module_backward(const Module& c) {
    SHARED_MEMORY(memory);
    const int stride = WARP * V + 1, samples = WARP * V;
    const int lane = lane_number(), warp = warp_number(), warps = warp_count();
    Tile tile;
    place_tile<V, PLACE>(c, tile, memory);
    Walk w;
    walk_of(c, w, stride);
    const int base = c.m - c.n_outputs;
    for (int first = blockIdx.x * samples; first < c.batch; first += gridDim.x * samples) {
        const int count = c.batch - first < samples ? c.batch - first : samples;
        const real* kept = c.kept + (long long)(first / samples) * c.m * samples * (c.keeps_z ? 2 : 1);
        for (int i = warp; i < c.m; i += warps)
            for (int s = lane; s < samples; s += WARP) {
                tile.h[i * stride + s] = kept[i * samples + s];
                if (c.keeps_z) tile.z[i * stride + s] = kept[(c.m + i) * samples + s];
            }
        for (int k = threadIdx.x; k < samples * c.n_outputs; k += blockDim.x)
            tile.g[(base + k % c.n_outputs) * stride + k / c.n_outputs] =
                k < count * c.n_outputs ? c.grad_y[(long long)first * c.n_outputs + k] : real(0);
        load_inputs<V>(c, tile, first, count);
        backward_tile<V>(w, tile);
        weight_gradients<V>(w, tile, first == (int)blockIdx.x * samples,
                            c.grad_weight + (long long)blockIdx.x * c.n_edges,
                            c.grad_bias + (long long)blockIdx.x * c.m);
        __syncthreads();
        if (c.grad_x == nullptr) continue;
        for (int slot = warp; slot < c.n_slots; slot += warps) {
            real sum[V] = {};
            for (int q = c.input_ptr[slot]; q < c.input_ptr[slot + 1]; ++q) {
                const real weight = c.weight[c.input_edges[q]];
#pragma unroll
                for (int v = 0; v < V; ++v)
                    sum[v] = fma(weight, tile.g[c.input_targets[q] * stride + lane + WARP * v], sum[v]);
            }
#pragma unroll
            for (int v = 0; v < V; ++v) tile.inputs[slot * stride + lane + WARP * v] = sum[v];
        }
        __syncthreads();
        for (int s = warp; s < count; s += warps)
            for (int slot = lane; slot < c.n_slots; slot += WARP)
                c.grad_x[(long long)(first + s) * c.n_inputs + c.slot_input[slot]] = tile.inputs[slot * stride + s];
        __syncthreads();
    }
}

KERNEL_OF(Module, module_reduce, MOST_THREADS) {
    for (int e = blockIdx.x * blockDim.x + threadIdx.x; e < c.n_edges; e += gridDim.x * blockDim.x) {
        real sum = 0;
        for (int b = 0; b < c.blocks; ++b) sum += c.grad_weight[(long long)b * c.n_edges + e];
        c.given_grad_weight[c.edge_order[e]] = sum;
    }
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < c.m; i += gridDim.x * blockDim.x) {
        real sum = 0;
        for (int b = 0; b < c.blocks; ++b) sum += c.grad_bias[(long long)b * c.m + i];
        if (c.given_grad_bias != nullptr) c.given_grad_bias[c.neuron_order[i]] = sum;
    }
}

#define MODULE(V, PLACE)                                                                                  \
    KERNEL_OF(Module, module_forward_##V##_##PLACE, MOST_THREADS) { module_forward<V, PLACE>(c); }   \
    KERNEL_OF(Module, module_backward_##V##_##PLACE, MOST_THREADS) { module_backward<V, PLACE>(c); }
EACH_VARIANT(MODULE)
