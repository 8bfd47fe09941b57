// Frames and faces to network inputs on the GPU. engine/preprocess.py is the oracle.
//
// Nothing is included, so that NVRTC compiles this text as it is, and g++ does with a small
// header that stands in for the CUDA built-ins. One thread makes one pixel of the output.

typedef unsigned char u8;
typedef unsigned short u16;

namespace {

struct Pixel {
    float b, g, r;
};

// Round to nearest, ties to even: the bits of a binary16. cuda_fp16.h would do it too, but
// neither NVRTC nor a CPU has it built in.
__device__ inline u16 half_bits(float value) {
    union {
        float number;
        unsigned bits;
    } in;
    in.number = value;
    const unsigned sign = (in.bits >> 16) & 0x8000u;
    const unsigned magnitude = in.bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return static_cast<u16>(sign | 0x7e00u);
    if (magnitude >= 0x477ff000u) return static_cast<u16>(sign | 0x7c00u);
    if (magnitude < 0x33000001u) return static_cast<u16>(sign);
    const int exponent = static_cast<int>(magnitude >> 23) - 127;
    const unsigned mantissa = (magnitude & 0x7fffffu) | 0x800000u;
    // Numbers below 2^-14 have fewer digits.
    const unsigned drop = exponent < -14 ? static_cast<unsigned>(-exponent - 1) : 13u;
    const unsigned kept = mantissa >> drop;
    const unsigned rest = mantissa & ((1u << drop) - 1u), tie = 1u << (drop - 1u);
    const unsigned rounded = kept + (rest > tie || (rest == tie && (kept & 1u)) ? 1u : 0u);
    const unsigned base = exponent < -14 ? 0u : static_cast<unsigned>(exponent + 14) << 10;
    return static_cast<u16>(sign | (base + rounded));
}

__device__ inline void store(float* out, long long at, float value) { out[at] = value; }
__device__ inline void store(u16* out, long long at, float value) { out[at] = half_bits(value); }

__device__ inline int clamped(int value, int last) {
    return value < 0 ? 0 : (value > last ? last : value);
}

struct BgrFrame {
    const u8* data;
    int width, height;
    long long pitch;

    __device__ Pixel at(int x, int y) const {
        const u8* p = data + y * pitch + 3ll * x;
        return {static_cast<float>(p[0]), static_cast<float>(p[1]), static_cast<float>(p[2])};
    }

    // ITU-R BT.601 luma in whole grey levels, with OpenCV's 15-bit weights.
    __device__ int luma(int x, int y) const {
        const u8* p = data + y * pitch + 3ll * x;
        return (p[0] * 3735 + p[1] * 19235 + p[2] * 9798 + 16384) >> 15;
    }
};

// A grey level from one with 20 fractional bits, rounded and kept inside 0-255.
__device__ inline float whole_level(int value) {
    return static_cast<float>(clamped((value + (1 << 19)) >> 20, 255));
}

// NV12 in BT.601 limited range: 16-235 luma, a chroma pair for two by two pixels. OpenCV's
// factors (1.164, 2.018, -0.391, -0.813, 1.596) with 20 fractional bits: whole numbers round
// alike everywhere, floats would not where a compiler fuses multiplications with additions.
struct Nv12Frame {
    const u8 *luma_plane, *chroma_plane;
    int width, height;
    long long luma_pitch, chroma_pitch;

    __device__ Pixel at(int x, int y) const {
        const int level = luma_plane[y * luma_pitch + x] - 16;
        const int scaled = 1220542 * (level < 0 ? 0 : level);
        const u8* pair = chroma_plane + (y / 2) * chroma_pitch + (x / 2) * 2;
        const int u = pair[0] - 128, v = pair[1] - 128;
        return {whole_level(scaled + 2116026 * u), whole_level(scaled - 409993 * u - 852492 * v),
                whole_level(scaled + 1673527 * v)};
    }
};

__device__ inline float mixed(float a, float b, float share) { return a + (b - a) * share; }

// Where an output position samples: position * size / out, or with pixel centres aligned
// (position + 0.5) * size / out - 0.5, kept inside the frame. As a fraction of whole numbers,
// since a float position is off by too much at the far end of a large frame.
struct Sample {
    int first, second;
    float share;

    __device__ Sample(int position, int size, int out, int aligned) {
        const int below = 2 * out;
        const int above = (2 * position + aligned) * size - aligned * out;
        const int inside = above < 0 ? 0 : above;
        first = inside / below;
        second = first + 1 < size ? first + 1 : first;
        share = static_cast<float>(inside - first * below) / static_cast<float>(below);
    }
};

template <class Frame>
__device__ inline Pixel bilinear(const Frame& frame, const Sample& x, const Sample& y) {
    const Pixel a = frame.at(x.first, y.first), b = frame.at(x.second, y.first);
    const Pixel c = frame.at(x.first, y.second), d = frame.at(x.second, y.second);
    return {mixed(mixed(a.b, b.b, x.share), mixed(c.b, d.b, x.share), y.share),
            mixed(mixed(a.g, b.g, x.share), mixed(c.g, d.g, x.share), y.share),
            mixed(mixed(a.r, b.r, x.share), mixed(c.r, d.r, x.share), y.share)};
}

// Three planes of numbers, each `(height, width)`, and how levels of 0-255 become numbers.
template <class Out>
struct Input {
    Out* data;
    int width, height;
    int rgb;
    float mean0, mean1, mean2, scale0, scale1, scale2;

    __device__ void put(int x, int y, const Pixel& pixel) const {
        const long long plane = static_cast<long long>(width) * height;
        const long long at = static_cast<long long>(y) * width + x;
        store(data, at, ((rgb ? pixel.r : pixel.b) - mean0) * scale0);
        store(data, at + plane, (pixel.g - mean1) * scale1);
        store(data, at + 2 * plane, ((rgb ? pixel.b : pixel.r) - mean2) * scale2);
    }
};

template <class Frame, class Out>
__device__ inline void frame_pixel(const Frame& frame, const Input<Out>& out, int aligned) {
    const int x = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    const int y = static_cast<int>(blockIdx.y * blockDim.y + threadIdx.y);
    if (x >= out.width || y >= out.height) return;
    out.put(x, y, bilinear(frame, Sample(x, frame.width, out.width, aligned),
                           Sample(y, frame.height, out.height, aligned)));
}

// How much of [from, to) source pixel `index` covers, where a source pixel is `out` long.
__device__ inline int overlap(int index, int out, int from, int to) {
    const int start = index * out, end = start + out;
    return (end < to ? end : to) - (start > from ? start : from);
}

struct Sums {
    long long b, g, r;
};

// Mean over the area that an output pixel covers, border pixels by their covered share. Lengths
// are in parts of a source pixel, so many as there are output pixels: all of them are whole, and
// an output pixel is as long as the frame has pixels.
template <class Frame>
__device__ inline Pixel area_mean(const Frame& frame, int x, int y, int out_width,
                                  int out_height) {
    const int left = x * frame.width, right = left + frame.width;
    const int top = y * frame.height, bottom = top + frame.height;
    Sums sum = {0, 0, 0};
    for (int row = top / out_height; row * out_height < bottom; ++row) {
        // Up to 65535 * 255, which a float holds exactly.
        Pixel line = {0, 0, 0};
        for (int column = left / out_width; column * out_width < right; ++column) {
            const float share = static_cast<float>(overlap(column, out_width, left, right));
            const Pixel pixel = frame.at(column, row);
            line.b += share * pixel.b;
            line.g += share * pixel.g;
            line.r += share * pixel.r;
        }
        const long long share = overlap(row, out_height, top, bottom);
        sum.b += share * static_cast<long long>(line.b);
        sum.g += share * static_cast<long long>(line.g);
        sum.r += share * static_cast<long long>(line.r);
    }
    const float area = static_cast<float>(frame.width) * static_cast<float>(frame.height);
    return {static_cast<float>(sum.b) / area, static_cast<float>(sum.g) / area,
            static_cast<float>(sum.r) / area};
}

// The frame in the upper left `across` by `down` pixels of the input, and black around it.
template <class Frame, class Out>
__device__ inline void letterbox_pixel(const Frame& frame, const Input<Out>& out, int across,
                                       int down) {
    const int x = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    const int y = static_cast<int>(blockIdx.y * blockDim.y + threadIdx.y);
    if (x >= out.width || y >= out.height) return;
    Pixel pixel = {0, 0, 0};
    if (x < across && y < down) {
        pixel = across <= frame.width && down <= frame.height
                    ? area_mean(frame, x, y, across, down)
                    : bilinear(frame, Sample(x, frame.width, across, 1),
                               Sample(y, frame.height, down, 1));
    }
    out.put(x, y, pixel);
}

// A square of the frame whose outside repeats the nearest border pixel.
struct Square {
    BgrFrame frame;
    int left, top, side;

    __device__ int at(int x, int y) const {
        return frame.luma(clamped(left + x, frame.width - 1), clamped(top + y, frame.height - 1));
    }
};

// The same of a square's luma.
__device__ inline float area_mean(const Square& square, int x, int y, int out_width,
                                  int out_height) {
    const int left = x * square.side, right = left + square.side;
    const int top = y * square.side, bottom = top + square.side;
    long long sum = 0;
    for (int row = top / out_height; row * out_height < bottom; ++row) {
        int line = 0;
        for (int column = left / out_width; column * out_width < right; ++column) {
            line += overlap(column, out_width, left, right) * square.at(column, row);
        }
        sum += static_cast<long long>(overlap(row, out_height, top, bottom)) * line;
    }
    const float length = static_cast<float>(square.side);
    return static_cast<float>(sum) / (length * length);
}

__device__ inline float bilinear_luma(const Square& square, const Sample& x, const Sample& y) {
    const float a = square.at(x.first, y.first), b = square.at(x.second, y.first);
    const float c = square.at(x.first, y.second), d = square.at(x.second, y.second);
    return mixed(mixed(a, b, x.share), mixed(c, d, x.share), y.share);
}

template <class Out>
__device__ inline void face_pixel(const u8* frame, int width, int height, long long pitch,
                                  const int* squares, int count, Out* out, int out_width,
                                  int out_height, float mean, float scale) {
    const int x = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    const int y = static_cast<int>(blockIdx.y * blockDim.y + threadIdx.y);
    const int face = static_cast<int>(blockIdx.z);
    if (x >= out_width || y >= out_height || face >= count) return;
    const int* place = squares + 3 * face;
    const Square square = {{frame, width, height, pitch}, place[0], place[1], place[2]};
    float level;
    if (square.side >= out_width && square.side >= out_height) {
        level = area_mean(square, x, y, out_width, out_height);
    } else {
        level = bilinear_luma(square, Sample(x, square.side, out_width, 1),
                              Sample(y, square.side, out_height, 1));
    }
    const long long plane = static_cast<long long>(out_width) * out_height;
    store(out, face * plane + static_cast<long long>(y) * out_width + x, (level - mean) * scale);
}

}  // namespace

#define BGR_IN const u8 *frame, int width, int height, long long pitch
#define NV12_IN                                                                    \
    const u8 *luma, const u8 *chroma, int width, int height, long long luma_pitch, \
        long long chroma_pitch
#define INTO(Number) Number *out, int out_width, int out_height
#define LEVELS_AS \
    int rgb, float mean0, float mean1, float mean2, float scale0, float scale1, float scale2
#define PASS_BGR \
    BgrFrame { frame, width, height, pitch }
#define PASS_NV12 \
    Nv12Frame { luma, chroma, width, height, luma_pitch, chroma_pitch }
#define PASS_INPUT(Number) \
    Input<Number> { out, out_width, out_height, rgb, mean0, mean1, mean2, scale0, scale1, scale2 }

extern "C" {

__global__ void frame_from_bgr_fp32(BGR_IN, INTO(float), int aligned, LEVELS_AS) {
    frame_pixel(PASS_BGR, PASS_INPUT(float), aligned);
}

__global__ void frame_from_bgr_fp16(BGR_IN, INTO(u16), int aligned, LEVELS_AS) {
    frame_pixel(PASS_BGR, PASS_INPUT(u16), aligned);
}

__global__ void frame_from_nv12_fp32(NV12_IN, INTO(float), int aligned, LEVELS_AS) {
    frame_pixel(PASS_NV12, PASS_INPUT(float), aligned);
}

__global__ void frame_from_nv12_fp16(NV12_IN, INTO(u16), int aligned, LEVELS_AS) {
    frame_pixel(PASS_NV12, PASS_INPUT(u16), aligned);
}

__global__ void letterbox_from_bgr_fp32(BGR_IN, INTO(float), int across, int down, LEVELS_AS) {
    letterbox_pixel(PASS_BGR, PASS_INPUT(float), across, down);
}

__global__ void letterbox_from_bgr_fp16(BGR_IN, INTO(u16), int across, int down, LEVELS_AS) {
    letterbox_pixel(PASS_BGR, PASS_INPUT(u16), across, down);
}

__global__ void letterbox_from_nv12_fp32(NV12_IN, INTO(float), int across, int down, LEVELS_AS) {
    letterbox_pixel(PASS_NV12, PASS_INPUT(float), across, down);
}

__global__ void letterbox_from_nv12_fp16(NV12_IN, INTO(u16), int across, int down, LEVELS_AS) {
    letterbox_pixel(PASS_NV12, PASS_INPUT(u16), across, down);
}

__global__ void faces_from_bgr_fp32(BGR_IN, const int* squares, int count, INTO(float), float mean,
                                    float scale) {
    face_pixel(frame, width, height, pitch, squares, count, out, out_width, out_height, mean,
               scale);
}

__global__ void faces_from_bgr_fp16(BGR_IN, const int* squares, int count, INTO(u16), float mean,
                                    float scale) {
    face_pixel(frame, width, height, pitch, squares, count, out, out_width, out_height, mean,
               scale);
}

}  // extern "C"
