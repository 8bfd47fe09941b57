// Stands in for CUDA's built-ins, so that g++ compiles kernels as they are and a CPU runs
// them: threads of a grid one after the other. Arguments come as the driver API's cuLaunchKernel
// takes them, an array of pointers.
#pragma once

#include <cmath>
#include <cstddef>
#include <utility>

#define __global__
#define __device__

struct Dim3 {
    unsigned x, y, z;
};

static thread_local Dim3 gridDim, blockDim, blockIdx, threadIdx;

using std::fmaxf;
using std::fminf;

template <class... Arguments, std::size_t... Index>
void run_grid(void (*kernel)(Arguments...), const unsigned* sizes, void** arguments,
              std::index_sequence<Index...>) {
    gridDim = {sizes[0], sizes[1], sizes[2]};
    blockDim = {sizes[3], sizes[4], sizes[5]};
    for (blockIdx.z = 0; blockIdx.z < gridDim.z; ++blockIdx.z)
        for (blockIdx.y = 0; blockIdx.y < gridDim.y; ++blockIdx.y)
            for (blockIdx.x = 0; blockIdx.x < gridDim.x; ++blockIdx.x)
                for (threadIdx.z = 0; threadIdx.z < blockDim.z; ++threadIdx.z)
                    for (threadIdx.y = 0; threadIdx.y < blockDim.y; ++threadIdx.y)
                        for (threadIdx.x = 0; threadIdx.x < blockDim.x; ++threadIdx.x)
                            kernel(*static_cast<Arguments*>(arguments[Index])...);
}

template <class... Arguments>
void run_kernel(void (*kernel)(Arguments...), const unsigned* sizes, void** arguments) {
    run_grid(kernel, sizes, arguments, std::index_sequence_for<Arguments...>{});
}

#define RUNNABLE(name)                                                            \
    extern "C" void run_##name(const unsigned* sizes, void** arguments) { \
        run_kernel(&name, sizes, arguments);                                      \
    }
