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
    __device__ float luma(int x, int y) const {
        const u8* p = data + y * pitch + 3ll * x;
        return static_cast<float>((p[0] * 3735 + p[1] * 19235 + p[2] * 9798 + 16384) >> 15);
    }
};

__device__ inline float whole_level(float value) {
    const int level = static_cast<int>(value + 0.5f);
    return static_cast<float>(value <= 0.0f ? 0 : (level > 255 ? 255 : level));
}

// NV12 in BT.601 limited range: 16-235 luma, a chroma pair for two by two pixels.
struct Nv12Frame {
    const u8 *luma_plane, *chroma_plane;
    int width, height;
    long long luma_pitch, chroma_pitch;

    __device__ Pixel at(int x, int y) const {
        const float scaled = 1.164383f * fmaxf(luma_plane[y * luma_pitch + x] - 16.0f, 0.0f);
        const u8* pair = chroma_plane + (y / 2) * chroma_pitch + (x / 2) * 2;
        const float u = pair[0] - 128.0f, v = pair[1] - 128.0f;
        return {whole_level(scaled + 2.017232f * u),
                whole_level(scaled - 0.391762f * u - 0.812968f * v),
                whole_level(scaled + 1.596027f * v)};
    }
};

__device__ inline float mixed(float a, float b, float share) { return a + (b - a) * share; }

// Where an output position samples: source = position * step + offset, inside the frame.
struct Sample {
    int first, second;
    float share;

    __device__ Sample(int position, float step, float offset, int size) {
        const float limit = static_cast<float>(size - 1);
        const float source = fminf(fmaxf(position * step + offset, 0.0f), limit);
        first = static_cast<int>(source);
        second = first + 1 < size ? first + 1 : first;
        share = source - static_cast<float>(first);
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

template <class Frame, class Out>
__device__ inline void frame_pixel(const Frame& frame, Out* out, int out_width, int out_height,
                                   float step_x, float step_y, float offset_x, float offset_y,
                                   int rgb, float mean0, float mean1, float mean2, float scale0,
                                   float scale1, float scale2) {
    const int x = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    const int y = static_cast<int>(blockIdx.y * blockDim.y + threadIdx.y);
    if (x >= out_width || y >= out_height) return;
    const Pixel pixel = bilinear(frame, Sample(x, step_x, offset_x, frame.width),
                                 Sample(y, step_y, offset_y, frame.height));
    const long long plane = static_cast<long long>(out_width) * out_height;
    const long long at = static_cast<long long>(y) * out_width + x;
    store(out, at, ((rgb ? pixel.r : pixel.b) - mean0) * scale0);
    store(out, at + plane, (pixel.g - mean1) * scale1);
    store(out, at + 2 * plane, ((rgb ? pixel.b : pixel.r) - mean2) * scale2);
}

// A square of the frame whose outside repeats the nearest border pixel.
struct Square {
    BgrFrame frame;
    int left, top, side;

    __device__ float at(int x, int y) const {
        return frame.luma(clamped(left + x, frame.width - 1), clamped(top + y, frame.height - 1));
    }
};

// Mean over the area that an output pixel covers, border pixels by their covered share.
__device__ inline float area_mean(const Square& square, int x, int y, float step_x, float step_y) {
    const float x0 = x * step_x, y0 = y * step_y;
    const float limit = static_cast<float>(square.side);
    const float x1 = fminf(x0 + step_x, limit), y1 = fminf(y0 + step_y, limit);
    float sum = 0.0f;
    for (int row = static_cast<int>(y0); row < square.side && row < y1; ++row) {
        const float high = fminf(y1, row + 1.0f) - fmaxf(y0, static_cast<float>(row));
        float line = 0.0f;
        for (int column = static_cast<int>(x0); column < square.side && column < x1; ++column) {
            const float wide = fminf(x1, column + 1.0f) - fmaxf(x0, static_cast<float>(column));
            line += wide * square.at(column, row);
        }
        sum += high * line;
    }
    return sum / ((x1 - x0) * (y1 - y0));
}

__device__ inline float bilinear_luma(const Square& square, const Sample& x, const Sample& y) {
    const float above = mixed(square.at(x.first, y.first), square.at(x.second, y.first), x.share);
    const float below = mixed(square.at(x.first, y.second), square.at(x.second, y.second), x.share);
    return mixed(above, below, y.share);
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
    const float step_x = static_cast<float>(square.side) / static_cast<float>(out_width);
    const float step_y = static_cast<float>(square.side) / static_cast<float>(out_height);
    float level;
    if (square.side >= out_width && square.side >= out_height) {
        level = area_mean(square, x, y, step_x, step_y);
    } else {
        level = bilinear_luma(square, Sample(x, step_x, 0.5f * step_x - 0.5f, square.side),
                              Sample(y, step_y, 0.5f * step_y - 0.5f, square.side));
    }
    const long long plane = static_cast<long long>(out_width) * out_height;
    store(out, face * plane + static_cast<long long>(y) * out_width + x, (level - mean) * scale);
}

}  // namespace

#define FRAME_TAIL(Out)                                                                        \
    Out *out, int out_width, int out_height, float step_x, float step_y, float offset_x,       \
        float offset_y, int rgb, float mean0, float mean1, float mean2, float scale0,          \
        float scale1, float scale2
#define PASS_TAIL                                                                              \
    out, out_width, out_height, step_x, step_y, offset_x, offset_y, rgb, mean0, mean1, mean2, \
        scale0, scale1, scale2

extern "C" {

__global__ void frame_from_bgr_fp32(const u8* frame, int width, int height, long long pitch,
                                    FRAME_TAIL(float)) {
    frame_pixel(BgrFrame{frame, width, height, pitch}, PASS_TAIL);
}

__global__ void frame_from_bgr_fp16(const u8* frame, int width, int height, long long pitch,
                                    FRAME_TAIL(u16)) {
    frame_pixel(BgrFrame{frame, width, height, pitch}, PASS_TAIL);
}

__global__ void frame_from_nv12_fp32(const u8* luma, const u8* chroma, int width, int height,
                                     long long luma_pitch, long long chroma_pitch,
                                     FRAME_TAIL(float)) {
    frame_pixel(Nv12Frame{luma, chroma, width, height, luma_pitch, chroma_pitch}, PASS_TAIL);
}

__global__ void frame_from_nv12_fp16(const u8* luma, const u8* chroma, int width, int height,
                                     long long luma_pitch, long long chroma_pitch,
                                     FRAME_TAIL(u16)) {
    frame_pixel(Nv12Frame{luma, chroma, width, height, luma_pitch, chroma_pitch}, PASS_TAIL);
}

__global__ void faces_from_bgr_fp32(const u8* frame, int width, int height, long long pitch,
                                    const int* squares, int count, float* out, int out_width,
                                    int out_height, float mean, float scale) {
    face_pixel(frame, width, height, pitch, squares, count, out, out_width, out_height, mean,
               scale);
}

__global__ void faces_from_bgr_fp16(const u8* frame, int width, int height, long long pitch,
                                    const int* squares, int count, u16* out, int out_width,
                                    int out_height, float mean, float scale) {
    face_pixel(frame, width, height, pitch, squares, count, out, out_width, out_height, mean,
               scale);
}

}  // extern "C"
