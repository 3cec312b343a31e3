// A stand-in for the CUDA driver, for tests on machines without a GPU.
//
// It exports what the project uses of libcuda (checked against cuda.h where that is installed) and what torch would use
// for memory and events. Kernels are those that the stand-in for NVRTC has compiled for the simulator. It is stricter than
// a GPU: launches run only when somebody waits, so that whoever frees too early is found out; memory is handed out between
// guards and filled with NaN; handles are not pointers; a kernel that writes beside its memory or is given memory that is
// not the device's leaves an error that stays, as on a GPU.
#include <cuda_functions.h>  // declarations: those of cuda.h where there is one, else the test's own

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <unistd.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace {

constexpr size_t GUARD = 256;
constexpr int PLAIN_SHARED = 48 * 1024, OPTIN_SHARED = 227 * 1024;
constexpr unsigned MOST_THREADS = 1024, REGISTERS = 128, REGISTERS_A_MULTIPROCESSOR = 65536;

typedef const char* (*Simulate)(void (*)(const void*, int), unsigned, unsigned, size_t, unsigned, int,
                                unsigned long long, const void*, int);

struct Function {
    std::string name;
    void (*kernel)(const void*, int);
    Simulate simulate;
    size_t by_value;      // bytes of the only parameter, 0: (pointer, int)
    unsigned most_threads;
    int shared = PLAIN_SHARED;
};

struct Launch {
    Function* function;
    unsigned grid, threads, together;
    size_t shared;
    std::vector<unsigned char> job;
    uint64_t jobs;
    int count;
};

std::mutex lock;
bool started = false;
int sticky = 0, retained = 0;
uint64_t next_handle = 0x1000000010ull;  // beyond 32 bits: a handle cut short is no handle
std::map<uint64_t, void*> modules;
std::map<uint64_t, Function*> functions;
std::map<uint64_t, uint64_t> events;
std::map<uint64_t, size_t> memory;  // what is allocated, by address
size_t used = 0;
uint64_t context = 0, clock_ns = 0;
std::vector<Launch> queue;
thread_local std::vector<uint64_t> current;

long setting(const char* name, long usual) {
    const char* text = getenv(name);
    return text ? atol(text) : usual;
}
unsigned multiprocessors() { return (unsigned)setting("STANDIN_MULTIPROCESSORS", 4); }
size_t most_memory() { return (size_t)setting("STANDIN_MEMORY", 256l << 20); }

void note(const std::string& text) { fprintf(stderr, "stand-in: %s\n", text.c_str()); }

bool guards_hold(uint64_t at, size_t size) {
    const unsigned char* start = (const unsigned char*)at;
    for (size_t k = 0; k < GUARD; ++k)
        if (start[-(long)GUARD + (long)k] != 0xff || start[size + k] != 0xff) return false;
    return true;
}

bool is_memory(uint64_t at, size_t bytes) {
    auto after = memory.upper_bound(at);
    if (after == memory.begin()) return false;
    --after;
    return at >= after->first && at + bytes <= after->first + after->second;
}

void run_queue() {
    std::vector<Launch> now;
    now.swap(queue);
    for (Launch& each : now) {
        if (sticky) return;
        clock_ns += (uint64_t)setting("STANDIN_LAUNCH_NS", 2000000);
        if (const char* mark = getenv("STANDIN_FAILS_ONCE")) {  // the first launch of all processes
            int made = open(mark, O_CREAT | O_EXCL | O_WRONLY, 0600);
            if (made >= 0) {
                close(made);
                sticky = CUDA_ERROR_ILLEGAL_ADDRESS;
            }
        }
        const void* jobs = each.job.empty() ? (const void*)each.jobs : each.job.data();
        if (each.job.empty() && !is_memory(each.jobs, 8 * (size_t)each.count)) {
            note(each.function->name + " was given structures that are not in the device's memory");
            sticky = CUDA_ERROR_ILLEGAL_ADDRESS;
        }
        if (sticky) return;
        const char* error = each.function->simulate(each.function->kernel, each.grid, each.threads, each.shared,
                                                    each.together, 2, clock_ns, jobs, each.count);
        if (error) {
            note(each.function->name + ": " + error);
            sticky = CUDA_ERROR_LAUNCH_FAILED;
        }
        for (auto& block : memory)
            if (!guards_hold(block.first, block.second)) {
                note(each.function->name + " wrote beside its memory");
                sticky = CUDA_ERROR_ILLEGAL_ADDRESS;
            }
    }
}

// What nearly every function begins with.
CUresult ready(bool needs_context = true) {
    if (!started) return CUDA_ERROR_NOT_INITIALIZED;
    if (needs_context && (current.empty() || current.back() == 0)) return CUDA_ERROR_INVALID_CONTEXT;
    return (CUresult)sticky;
}

#define READY(needs_context)                                  \
    std::lock_guard<std::mutex> hold(lock);                   \
    if (CUresult status = ready(needs_context)) return status

size_t elf_size(const void* image) {
    const Elf64_Ehdr* head = (const Elf64_Ehdr*)image;
    return head->e_shoff + (size_t)head->e_shnum * head->e_shentsize;
}

CUresult check_launch(Function* f, unsigned grid, unsigned gy, unsigned gz, unsigned threads, unsigned by, unsigned bz,
                      unsigned shared, void** parameters) {
    if (!grid || gy != 1 || gz != 1 || !threads || by != 1 || bz != 1 || grid > 0x7fffffffu || !parameters)
        return CUDA_ERROR_INVALID_VALUE;
    if (threads > MOST_THREADS) return CUDA_ERROR_INVALID_VALUE;
    if (threads > f->most_threads) return CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES;
    if ((int)shared > f->shared) return CUDA_ERROR_INVALID_VALUE;
    return CUDA_SUCCESS;
}

int resident(int threads, size_t shared) {
    int by_registers = (int)(REGISTERS_A_MULTIPROCESSOR / (REGISTERS * (unsigned)threads));
    int by_shared = shared ? (int)((OPTIN_SHARED + 1024) / (shared + 1024)) : 32;
    return by_registers < by_shared ? by_registers : by_shared;
}

CUresult enqueue(Function* f, unsigned grid, unsigned threads, unsigned shared, void** parameters, unsigned together) {
    Launch launch{f, grid, threads, together, shared, {}, 0, 1};
    if (f->by_value) {
        launch.job.resize(f->by_value);
        memcpy(launch.job.data(), parameters[0], f->by_value);
    } else {
        memcpy(&launch.jobs, parameters[0], 8);
        memcpy(&launch.count, parameters[1], 4);
    }
    queue.push_back(launch);
    return CUDA_SUCCESS;
}

}  // namespace

extern "C" {

CUresult cuInit(unsigned flags) {
    std::lock_guard<std::mutex> hold(lock);
    if (flags) return CUDA_ERROR_INVALID_VALUE;
    started = true;
    return CUDA_SUCCESS;
}

CUresult cuDeviceGet(CUdevice* device, int ordinal) {
    READY(false);
    if (ordinal != 0) return CUDA_ERROR_INVALID_DEVICE;
    *device = 0;
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetAttribute(int* value, CUdevice_attribute attribute, CUdevice device) {
    READY(false);
    if (device != 0) return CUDA_ERROR_INVALID_DEVICE;
    switch ((int)attribute) {
        case 97: *value = OPTIN_SHARED; return CUDA_SUCCESS;
        case 16: *value = (int)multiprocessors(); return CUDA_SUCCESS;
        default: return CUDA_ERROR_INVALID_VALUE;
    }
}

CUresult cuDevicePrimaryCtxRetain(CUcontext* found, CUdevice device) {
    READY(false);
    if (device != 0) return CUDA_ERROR_INVALID_DEVICE;
    if (!retained++) context = next_handle += 16;
    *found = (CUcontext)context;
    return CUDA_SUCCESS;
}

CUresult cuCtxPushCurrent_v2(CUcontext pushed) {
    READY(false);
    if (!pushed || (uint64_t)pushed != context) return CUDA_ERROR_INVALID_CONTEXT;
    current.push_back((uint64_t)pushed);
    return CUDA_SUCCESS;
}

CUresult cuCtxPopCurrent_v2(CUcontext* popped) {
    std::lock_guard<std::mutex> hold(lock);
    if (current.empty()) return CUDA_ERROR_INVALID_CONTEXT;
    *popped = (CUcontext)current.back();
    current.pop_back();
    return CUDA_SUCCESS;
}

CUresult cuModuleLoadData(CUmodule* module, const void* image) {
    READY(true);
    if (memcmp(image, ELFMAG, SELFMAG)) return CUDA_ERROR_INVALID_IMAGE;
    char path[] = "/tmp/standin-XXXXXX";
    int file = mkstemp(path);
    size_t size = elf_size(image);
    bool written = file >= 0 && write(file, image, size) == (ssize_t)size;
    close(file);
    void* library = written ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : nullptr;
    unlink(path);
    if (!library) return CUDA_ERROR_INVALID_IMAGE;
    modules[next_handle += 16] = library;
    *module = (CUmodule)next_handle;
    return CUDA_SUCCESS;
}

CUresult cuModuleGetFunction(CUfunction* function, CUmodule module, const char* name) {
    READY(true);
    auto found = modules.find((uint64_t)module);
    if (found == modules.end()) return CUDA_ERROR_INVALID_HANDLE;
    void* kernel = dlsym(found->second, name);
    const size_t* threads = (const size_t*)dlsym(found->second, (std::string(name) + "_threads").c_str());
    if (!kernel || !threads) return CUDA_ERROR_NOT_FOUND;
    const size_t* bytes = (const size_t*)dlsym(found->second, (std::string(name) + "_bytes").c_str());
    Function* made = new Function{name, (void (*)(const void*, int))kernel,
                                  (Simulate)dlsym(found->second, "simulate"), bytes ? *bytes : 0, (unsigned)*threads};
    functions[next_handle += 16] = made;
    *function = (CUfunction)next_handle;
    return CUDA_SUCCESS;
}

CUresult cuFuncSetAttribute(CUfunction function, CUfunction_attribute attribute, int value) {
    READY(true);
    auto found = functions.find((uint64_t)function);
    if (found == functions.end()) return CUDA_ERROR_INVALID_HANDLE;
    if ((int)attribute != 8 || value < 0 || value > OPTIN_SHARED) return CUDA_ERROR_INVALID_VALUE;
    found->second->shared = value > PLAIN_SHARED ? value : PLAIN_SHARED;
    return CUDA_SUCCESS;
}

CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, CUfunction function, int threads, size_t shared) {
    READY(true);
    if (!functions.count((uint64_t)function)) return CUDA_ERROR_INVALID_HANDLE;
    if (threads <= 0 || threads > (int)MOST_THREADS) return CUDA_ERROR_INVALID_VALUE;
    *blocks = resident(threads, shared);
    return CUDA_SUCCESS;
}

CUresult cuLaunchKernel(CUfunction function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                        unsigned bz, unsigned shared, CUstream stream, void** parameters, void** extra) {
    READY(true);
    auto found = functions.find((uint64_t)function);
    if (found == functions.end() || stream) return CUDA_ERROR_INVALID_HANDLE;
    if (extra) return CUDA_ERROR_INVALID_VALUE;
    if (CUresult status = check_launch(found->second, gx, gy, gz, bx, by, bz, shared, parameters)) return status;
    return enqueue(found->second, gx, bx, shared, parameters, 1);  // blocks one after another: none may wait
}

CUresult cuLaunchCooperativeKernel(CUfunction function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                                   unsigned bz, unsigned shared, CUstream stream, void** parameters) {
    READY(true);
    auto found = functions.find((uint64_t)function);
    if (found == functions.end() || stream) return CUDA_ERROR_INVALID_HANDLE;
    if (CUresult status = check_launch(found->second, gx, gy, gz, bx, by, bz, shared, parameters)) return status;
    if (gx > multiprocessors() * (unsigned)resident((int)bx, shared)) return CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE;
    return enqueue(found->second, gx, bx, shared, parameters, gx);
}

CUresult cuGetErrorString(CUresult error, const char** text) {
    switch ((int)error) {
        case CUDA_ERROR_INVALID_VALUE: *text = "invalid argument"; break;
        case CUDA_ERROR_OUT_OF_MEMORY: *text = "out of memory"; break;
        case CUDA_ERROR_NOT_INITIALIZED: *text = "initialization error"; break;
        case CUDA_ERROR_INVALID_IMAGE: *text = "device kernel image is invalid"; break;
        case CUDA_ERROR_INVALID_CONTEXT: *text = "invalid device context"; break;
        case CUDA_ERROR_INVALID_HANDLE: *text = "invalid resource handle"; break;
        case CUDA_ERROR_NOT_FOUND: *text = "named symbol not found"; break;
        case CUDA_ERROR_ILLEGAL_ADDRESS: *text = "an illegal memory access was encountered"; break;
        case CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES: *text = "too many resources requested for launch"; break;
        case CUDA_ERROR_LAUNCH_FAILED: *text = "unspecified launch failure"; break;
        case CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE: *text = "too many blocks in cooperative launch"; break;
        default: *text = nullptr; return CUDA_ERROR_INVALID_VALUE;
    }
    return CUDA_SUCCESS;
}

// --- what torch's side of the test needs ---

CUresult cuMemAlloc_v2(CUdeviceptr* at, size_t bytes) {
    READY(true);
    if (!bytes) return CUDA_ERROR_INVALID_VALUE;
    if (used + bytes > most_memory()) return CUDA_ERROR_OUT_OF_MEMORY;
    size_t whole = (bytes + 2 * GUARD + 511) / 256 * 256;
    unsigned char* block = (unsigned char*)aligned_alloc(256, whole);
    memset(block, 0xff, whole);
    *at = (CUdeviceptr)(block + GUARD);
    memory[*at] = bytes;
    used += bytes;
    return CUDA_SUCCESS;
}

CUresult cuMemFree_v2(CUdeviceptr at) {
    std::lock_guard<std::mutex> hold(lock);
    run_queue();
    auto found = memory.find(at);
    if (found == memory.end()) return CUDA_ERROR_INVALID_VALUE;
    used -= found->second;
    memory.erase(found);
    free((unsigned char*)at - GUARD);
    return (CUresult)sticky;
}

CUresult cuMemGetInfo_v2(size_t* left, size_t* all) {
    READY(true);
    *all = most_memory();
    *left = *all - used;
    return CUDA_SUCCESS;
}

void standin_work(unsigned long long nanoseconds) {  // somebody else's kernel
    std::lock_guard<std::mutex> hold(lock);
    clock_ns += nanoseconds;
}

CUresult cuCtxSynchronize(void) {
    READY(true);
    run_queue();
    return (CUresult)sticky;
}

CUresult cuEventCreate(CUevent* event, unsigned) {
    READY(true);
    events[next_handle += 16] = ~0ull;
    *event = (CUevent)next_handle;
    return CUDA_SUCCESS;
}

CUresult cuEventRecord(CUevent event, CUstream) {
    READY(true);
    if (!events.count((uint64_t)event)) return CUDA_ERROR_INVALID_HANDLE;
    run_queue();
    events[(uint64_t)event] = clock_ns;
    return (CUresult)sticky;
}

CUresult cuEventElapsedTime_v2(float* milliseconds, CUevent start, CUevent end) {
    READY(true);
    auto a = events.find((uint64_t)start), b = events.find((uint64_t)end);
    if (a == events.end() || b == events.end() || a->second == ~0ull || b->second == ~0ull)
        return CUDA_ERROR_INVALID_HANDLE;
    *milliseconds = (float)(b->second - a->second) * 1e-6f;
    return CUDA_SUCCESS;
}

CUresult cuEventDestroy_v2(CUevent event) {
    std::lock_guard<std::mutex> hold(lock);
    return events.erase((uint64_t)event) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

}  // extern "C"
