// A CUDA driver without a GPU: as much of libcuda as the runtime calls, on the CPU. Everything but
// what is recorded is done at once, so this tells whether calls are made as PyCUDA and the driver
// want them, not whether they are ordered as they must be. Kernels are in the same library,
// compiled through standin.h.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "standin.h"

namespace {

enum { SUCCESS = 0, INVALID_VALUE = 1, NO_CONTEXT = 201, NOT_FOUND = 500, NOT_SUPPORTED = 801 };

thread_local int depth = 0;
std::map<std::uintptr_t, std::size_t> memories;

using Work = std::vector<std::function<void()>>;
Work* recording = nullptr;

int done(std::function<void()> work) {
    if (recording) {
        recording->push_back(std::move(work));
    } else {
        work();
    }
    return SUCCESS;
}

using Run = void (*)(const unsigned*, const char*);

bool holds(std::uintptr_t address, std::size_t size) {
    auto after = memories.upper_bound(address);
    if (after == memories.begin()) return false;
    --after;
    return address + size <= after->first + after->second;
}

template <class T>
T* argument(const char* packed, std::size_t& at) {
    at = (at + alignof(T) - 1) / alignof(T) * alignof(T);
    auto* found = reinterpret_cast<T*>(const_cast<char*>(packed) + at);
    at += sizeof(T);
    return found;
}

// Arguments of a launch come packed into one buffer, each aligned to its own size.
template <class... Arguments>
void run_from_buffer(void (*kernel)(Arguments...), const unsigned* sizes, const char* packed) {
    std::size_t at = 0;
    void* pointers[] = {static_cast<void*>(argument<Arguments>(packed, at))...};
    run_kernel(kernel, sizes, pointers);
}

}  // namespace

#define NEED_CONTEXT \
    if (!depth) return NO_CONTEXT

extern "C" {

int cuInit(unsigned) { return SUCCESS; }
int cuDriverGetVersion(int* version) { return *version = 13000, SUCCESS; }
int cuDeviceGetCount(int* count) { return *count = 1, SUCCESS; }
int cuDeviceGet(int* device, int) { return *device = 0, SUCCESS; }
int cuDeviceGetName(char* name, int length, int) {
    return std::strncpy(name, "Stand-in", length), SUCCESS;
}
int cuDeviceGetAttribute(int* value, int attribute, int) {
    return *value = attribute == 75 ? 8 : attribute == 76 ? 6 : 0, SUCCESS;
}
int cuGetErrorString(int, const char** text) { return *text = "stand-in error", SUCCESS; }

int cuDevicePrimaryCtxRetain(void** context, int) { return *context = &depth, SUCCESS; }
int cuDevicePrimaryCtxRelease_v2(int) { return SUCCESS; }
int cuCtxPushCurrent_v2(void*) { return ++depth, SUCCESS; }
int cuCtxPopCurrent_v2(void** context) {
    NEED_CONTEXT;
    return *context = &depth, --depth, SUCCESS;
}
int cuCtxGetDevice(int* device) { return *device = 0, SUCCESS; }
int cuCtxSynchronize() { return SUCCESS; }

int cuStreamCreate(void** stream, unsigned flags) {
    NEED_CONTEXT;
    if (flags != 1) return INVALID_VALUE;
    return *stream = std::malloc(8), SUCCESS;
}
int cuStreamDestroy_v2(void* stream) { return std::free(stream), SUCCESS; }
int cuStreamSynchronize(void* stream) { return stream ? SUCCESS : INVALID_VALUE; }
int cuStreamWaitEvent(void* stream, void* event, unsigned) {
    return stream && event ? SUCCESS : INVALID_VALUE;
}
int cuEventCreate(void** event, unsigned) {
    NEED_CONTEXT;
    return *event = std::malloc(8), SUCCESS;
}
int cuEventDestroy_v2(void* event) { return std::free(event), SUCCESS; }
int cuEventRecord(void* event, void* stream) { return event && stream ? SUCCESS : INVALID_VALUE; }
int cuEventSynchronize(void* event) { return event ? SUCCESS : INVALID_VALUE; }
int cuEventElapsedTime_v2(float* ms, void*, void*) { return *ms = 1.0f, SUCCESS; }

int cuMemAlloc_v2(std::uintptr_t* address, std::size_t size) {
    NEED_CONTEXT;
    *address = reinterpret_cast<std::uintptr_t>(std::malloc(size));
    memories[*address] = size;
    return SUCCESS;
}
int cuMemFree_v2(std::uintptr_t address) {
    if (!memories.erase(address)) return INVALID_VALUE;
    return std::free(reinterpret_cast<void*>(address)), SUCCESS;
}
int cuMemHostAlloc(void** address, std::size_t size, unsigned) {
    NEED_CONTEXT;
    return *address = std::malloc(size), SUCCESS;
}
int cuMemFreeHost(void* address) { return std::free(address), SUCCESS; }
int cuMemcpyHtoDAsync_v2(std::uintptr_t to, const void* from, std::size_t size, void* stream) {
    NEED_CONTEXT;
    if (!stream || !holds(to, size)) return INVALID_VALUE;
    return done([=] { std::memcpy(reinterpret_cast<void*>(to), from, size); });
}
int cuMemcpyDtoHAsync_v2(void* to, std::uintptr_t from, std::size_t size, void* stream) {
    NEED_CONTEXT;
    if (!stream || !holds(from, size)) return INVALID_VALUE;
    return done([=] { std::memcpy(to, reinterpret_cast<const void*>(from), size); });
}
int cuMemcpyDtoDAsync_v2(std::uintptr_t to, std::uintptr_t from, std::size_t size, void* stream) {
    NEED_CONTEXT;
    if (!stream || !holds(to, size) || !holds(from, size)) return INVALID_VALUE;
    auto *target = reinterpret_cast<void*>(to), *source = reinterpret_cast<void*>(from);
    return done([=] { std::memcpy(target, source, size); });
}

int cuModuleLoadDataEx(void** module, const void* text, unsigned, void*, void*) {
    NEED_CONTEXT;
    if (!std::strstr(static_cast<const char*>(text), ".target sm_86")) return INVALID_VALUE;
    return *module = std::malloc(8), SUCCESS;
}
int cuModuleUnload(void* module) { return std::free(module), SUCCESS; }
int cuFuncSetBlockShape(void*, int, int, int) { return SUCCESS; }
int cuLaunchKernel(void* function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                   unsigned bz, unsigned, void* stream, void**, void** extra) {
    NEED_CONTEXT;
    if (std::getenv("STAND_IN_ABORTS")) std::abort();
    // CU_LAUNCH_PARAM_BUFFER_POINTER, buffer, CU_LAUNCH_PARAM_BUFFER_SIZE, size, end.
    if (!stream || !extra || extra[0] != reinterpret_cast<void*>(1)) return INVALID_VALUE;
    if (extra[2] != reinterpret_cast<void*>(2)) return INVALID_VALUE;
    const std::vector<unsigned> sizes = {gx, gy, gz, bx, by, bz};
    const auto* packed = static_cast<const char*>(extra[1]);
    const std::vector<char> kept(packed, packed + *static_cast<std::size_t*>(extra[3]));
    return done([=] { reinterpret_cast<Run>(function)(sizes.data(), kept.data()); });
}

// For the scripted TensorRT, whose work is recorded like any other.
int standInQueue(void (*work)()) { return done(work); }

// Graphs are lists of work; an instance is the list itself.
int cuStreamBeginCapture_v2(void* stream, int mode) {
    NEED_CONTEXT;
    if (!stream || mode != 1 || recording) return INVALID_VALUE;
    return recording = new Work, SUCCESS;
}
int cuStreamEndCapture(void* stream, void** graph) {
    if (!stream || !recording) return INVALID_VALUE;
    *graph = recording;
    return recording = nullptr, SUCCESS;
}
int cuGraphInstantiateWithFlags(void** instance, void* graph, unsigned long long flags) {
    if (!graph || flags) return INVALID_VALUE;
    return *instance = new Work(*static_cast<Work*>(graph)), SUCCESS;
}
int cuGraphLaunch(void* instance, void* stream) {
    NEED_CONTEXT;
    if (!instance || !stream) return INVALID_VALUE;
    for (auto& work : *static_cast<Work*>(instance)) work();
    return SUCCESS;
}
int cuGraphDestroy(void* graph) { return delete static_cast<Work*>(graph), SUCCESS; }
int cuGraphExecDestroy(void* instance) { return delete static_cast<Work*>(instance), SUCCESS; }

}  // extern "C"

// The kernels follow, then RUN_PACKED(name) for each, KERNEL_TABLE and MISSING(name) for the
// functions that PyCUDA links to and the runtime never calls.
#define RUN_PACKED(name)                                              \
    static void packed_##name(const unsigned* sizes, const char* packed) { \
        run_from_buffer(&name, sizes, packed);                        \
    }
#define KERNEL_TABLE(...)                                                              \
    extern "C" int cuModuleGetFunction(void** function, void*, const char* name) {     \
        static const std::map<std::string, Run> known = {__VA_ARGS__};                 \
        auto found = known.find(name);                                                 \
        if (found == known.end()) return NOT_FOUND;                                    \
        return *function = reinterpret_cast<void*>(found->second), SUCCESS;            \
    }
#define MISSING(name) \
    extern "C" int name() { return NOT_SUPPORTED; }
