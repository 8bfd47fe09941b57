// What the tracker computes of pixels, for all faces of a frame. engine/tracking is the oracle:
// patches.py, correlation.py and alignment.py say why, and quote the papers.
//
// As in kernels.cu nothing is included, and no thread waits for another: where one would have
// to, a launch ends. blockIdx.z is the face, in the order of its rows; what is known of it lies
// in a slot that it keeps while others come and go.

typedef unsigned char u8;

#ifdef __CUDACC_RTC__
#define UNROLLED _Pragma("unroll")
#else
#define UNROLLED
#endif

namespace {

// Of these, other than of constants, a compiler leaves no trace in its code.
enum {
    // Sides of a patch and of its middle that holds the face; blocks along a face, and theirs.
    SIDE = 64,
    INNER = 40,
    BLOCKS = 5,
    BLOCK = INNER / BLOCKS,
    // Of the spectrum of real numbers, the other half is conjugate.
    HALF = SIDE / 2 + 1,
    // A transform of 64 numbers is eight of eight, twice; a thread makes every eighth output.
    EIGHT = 8,
    // Of an alignment: x, y, growth, turn, gain and bias.
    UNKNOWNS = 6,
};

struct alignas(8) Complex {
    float re, im;
};

__device__ inline Complex operator+(Complex a, Complex b) { return {a.re + b.re, a.im + b.im}; }
__device__ inline Complex operator-(Complex a, Complex b) { return {a.re - b.re, a.im - b.im}; }
__device__ inline Complex operator*(Complex a, Complex b) {
    return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}
__device__ inline Complex operator*(float a, Complex b) { return {a * b.re, a * b.im}; }
__device__ inline Complex conjugate(Complex a) { return {a.re, -a.im}; }

// A column of responses.
struct alignas(16) Ridge {
    float height;
    int row;
    float sum, squares;
};

// The highest response of a face; see Peak in correlation.py.
struct Peak {
    float across, down, ratio;
};

// All that is known of a face.
struct Face {
    // Of the last patch: half of its spectrum, the same times the filter, and the responses.
    Complex spectrum[SIDE][HALF], product[SIDE][HALF];
    float response[SIDE][SIDE];
    Ridge ridges[SIDE];
    float row_powers[SIDE];
    // The filter, and the sums that it is a quotient of.
    Complex numerators[SIDE][HALF], filter[SIDE][HALF];
    float powers[SIDE][HALF];
    // What it looks like, and how much each pixel counts.
    float picture[INNER][INNER], weights[INNER][INNER];
    u8 patch[SIDE][SIDE], face[INNER][INNER];
};

// Where a patch is cut, in the frame halved `level` times: its middle, and a step along its
// rows. `rate` is the share that what is new has of what is learnt.
struct alignas(16) Place {
    float x, y, cosine, sine;
    int level, slot;
    float rate, unused;
};

// What all faces share: the 64th roots of one, a window's side, the wanted response's spectrum.
struct Tables {
    Complex roots[SIDE];
    float window[SIDE];
    Complex wanted[SIDE][HALF];
};

__device__ inline int thread_x() { return static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x); }
__device__ inline int thread_y() { return static_cast<int>(blockIdx.y * blockDim.y + threadIdx.y); }

// A BGR frame, gray and halved so many times.
struct GrayFrame {
    const u8* data;
    int width, height;
    long long pitch;
    int level;

    // An odd last row or column of pixels makes none of a halved picture.
    __device__ int last(int size) const {
        const int halved = size >> level;
        return (halved > 1 ? halved : 1) - 1;
    }

    // Mean of the pixels that one of the halved picture covers, of four rows at most, gray in
    // whole levels with OpenCV's 15-bit weights of ITU-R BT.601.
    __device__ float at(int x, int y) const {
        const int left = x << level, top = y << level, side = 1 << level;
        const int right = left + side < width ? left + side : width;
        const int bottom = top + side < height ? top + side : height;
        const int step = level > 2 ? side >> 2 : 1, middle = top + step / 2;
        int sum = 0, rows = 0;
        for (int row = middle < bottom ? middle : bottom - 1; row < bottom; row += step, ++rows) {
            const u8* p = data + row * pitch + 3ll * left;
            for (int column = left; column < right; ++column, p += 3) {
                sum += (p[0] * 3735 + p[1] * 19235 + p[2] * 9798 + 16384) >> 15;
            }
        }
        return static_cast<float>(sum) / static_cast<float>(rows * (right - left));
    }
};

// Rounded to a whole grey level; a place outside the frame is that on its border.
__device__ inline u8 bilinear(const GrayFrame& frame, float x, float y) {
    const int last_x = frame.last(frame.width), last_y = frame.last(frame.height);
    const float inside_x = fminf(fmaxf(x, 0.0f), static_cast<float>(last_x));
    const float inside_y = fminf(fmaxf(y, 0.0f), static_cast<float>(last_y));
    const int left = static_cast<int>(inside_x), top = static_cast<int>(inside_y);
    const int right = left < last_x ? left + 1 : left, bottom = top < last_y ? top + 1 : top;
    const float u = inside_x - static_cast<float>(left), v = inside_y - static_cast<float>(top);
    const float a = frame.at(left, top), b = frame.at(right, top);
    const float c = frame.at(left, bottom), d = frame.at(right, bottom);
    const float above = a + (b - a) * u, below = c + (d - c) * u;
    return static_cast<u8>(above + (below - above) * v + 0.5f);
}

__device__ inline u8 cut_pixel(const GrayFrame& frame, const Place& place, int column, int row,
                               int side) {
    const float middle = 0.5f * static_cast<float>(side - 1);
    const float across = static_cast<float>(column) - middle;
    const float down = static_cast<float>(row) - middle;
    return bilinear(frame, place.x + place.cosine * across - place.sine * down,
                    place.y + place.sine * across + place.cosine * down);
}

__device__ inline void butterfly(Complex& a, Complex& b) {
    const Complex sum = a + b;
    b = a - b;
    a = sum;
}

// Every eighth output, from `first` on, of a discrete Fourier transform of 64 numbers (not
// scaled), by the first step of Cooley and Tukey's algorithm in radix eight: 71 products with
// roots of one and 24 sums and differences, where eight outputs one by one take 512 products.
// `in(n)` gives the n-th number, `out(k, value)` takes the k-th of the transform. A step of -1
// along the roots makes the inverse.
template <class In, class Out>
__device__ inline void eighth_of_transform(const Complex* roots, int step, int first, const In& in,
                                           const Out& out) {
    Complex v[EIGHT] = {};
    UNROLLED
    for (int n = 0; n < EIGHT; ++n) {
        const Complex root = roots[(step * EIGHT * n * first) & (SIDE - 1)];
        UNROLLED
        for (int m = 0; m < EIGHT; ++m) v[m] = v[m] + in(EIGHT * n + m) * root;
    }
    UNROLLED
    for (int m = 1; m < EIGHT; ++m) v[m] = v[m] * roots[(step * m * first) & (SIDE - 1)];
    // Of these eight numbers, the transform with decimation in frequency.
    UNROLLED
    for (int m = 0; m < 4; ++m) butterfly(v[m], v[m + 4]);
    const Complex eighth = roots[(step * EIGHT) & (SIDE - 1)];
    const Complex quarter = roots[(step * 2 * EIGHT) & (SIDE - 1)];
    v[5] = v[5] * eighth;
    v[6] = v[6] * quarter;
    v[7] = v[7] * (eighth * quarter);
    UNROLLED
    for (int half = 0; half < EIGHT; half += 4) {
        butterfly(v[half], v[half + 2]);
        butterfly(v[half + 1], v[half + 3]);
        v[half + 3] = v[half + 3] * quarter;
        butterfly(v[half], v[half + 1]);
        butterfly(v[half + 2], v[half + 3]);
    }
    const int order[EIGHT] = {0, 4, 2, 6, 1, 5, 3, 7};
    UNROLLED
    for (int m = 0; m < EIGHT; ++m) out(first + EIGHT * order[m], v[m]);
}

// Vertex of the parabola through three neighbours, from the middle one.
__device__ inline float vertex(float before, float peak, float after) {
    const float bend = 2.0f * peak - before - after;
    return bend > 0.0f ? (after - before) / (2.0f * bend) : 0.0f;
}

// What a template's pixel is multiplied with: its gradients by the unknowns, itself, and one.
struct Functions {
    float values[UNKNOWNS];

    __device__ Functions(const float (&picture)[INNER][INNER], int x, int y) {
        const bool sides = x > 0 && x < INNER - 1, ends = y > 0 && y < INNER - 1;
        const float dx = sides ? 0.5f * (picture[y][x + 1] - picture[y][x - 1]) : 0.0f;
        const float dy = ends ? 0.5f * (picture[y + 1][x] - picture[y - 1][x]) : 0.0f;
        const float across = static_cast<float>(x) - 0.5f * static_cast<float>(INNER - 1);
        const float down = static_cast<float>(y) - 0.5f * static_cast<float>(INNER - 1);
        values[0] = dx;
        values[1] = dy;
        values[2] = dx * across + dy * down;
        values[3] = dy * across - dx * down;
        values[4] = picture[y][x];
        values[5] = 1.0f;
    }

    // One of them, chosen without a branch and without an address in memory.
    __device__ float operator[](int index) const {
        float found = values[0];
        UNROLLED
        for (int i = 1; i < UNKNOWNS; ++i) found = index == i ? values[i] : found;
        return found;
    }
};

}  // namespace

extern "C" {

// One thread a pixel: SIDE x SIDE patches around the faces.
__global__ void kcf_cut_patches(const u8* frame, int width, int height, long long pitch,
                                Face* faces, const Place* places, int count) {
    const int x = thread_x(), y = thread_y(), index = static_cast<int>(blockIdx.z);
    if (x >= SIDE || y >= SIDE || index >= count) return;
    const Place& place = places[index];
    const GrayFrame gray = {frame, width, height, pitch, place.level};
    faces[place.slot].patch[y][x] = cut_pixel(gray, place, x, y, SIDE);
}

// One thread a pixel: INNER x INNER patches of the faces.
__global__ void kcf_cut_faces(const u8* frame, int width, int height, long long pitch,
                              Face* faces, const Place* places, int count) {
    const int x = thread_x(), y = thread_y(), index = static_cast<int>(blockIdx.z);
    if (x >= INNER || y >= INNER || index >= count) return;
    const Place& place = places[index];
    const GrayFrame gray = {frame, width, height, pitch, place.level};
    faces[place.slot].face[y][x] = cut_pixel(gray, place, x, y, INNER);
}

// One thread an eighth of a row: transforms of a windowed patch's rows. What outputs of one
// eighth are for positive frequencies, those of another are conjugate: five eighths are enough.
__global__ void kcf_rows_forward(Face* faces, const Place* places, int count,
                                 const Tables* tables) {
    const int first = thread_x(), row = thread_y(), index = static_cast<int>(blockIdx.z);
    if (first > EIGHT / 2 || row >= SIDE || index >= count) return;
    Face& face = faces[places[index].slot];
    const u8* pixels = face.patch[row];
    const float height = tables->window[row];
    float power = 0.0f;
    const auto in = [&](int n) {
        const float value = static_cast<float>(pixels[n]) * (height * tables->window[n]);
        power += value * value;
        return value;
    };
    const auto out = [&](int k, Complex value) {
        if (k < HALF) face.spectrum[row][k] = value;
        // An eighth of its own has these already: 0 and 4 are their own mirrors.
        if (k > SIDE / 2 && first % (EIGHT / 2)) face.spectrum[row][SIDE - k] = conjugate(value);
    };
    eighth_of_transform(tables->roots, 1, first, in, out);
    // By Parseval's theorem the mean of the spectrum's power.
    if (first == 0) face.row_powers[row] = power;
}

// One thread an eighth of a column: the spectrum of a patch, times its filter.
__global__ void kcf_columns_filtered(Face* faces, const Place* places, int count,
                                     const Tables* tables) {
    const int column = thread_x() % HALF, first = thread_x() / HALF;
    const int index = static_cast<int>(blockIdx.z);
    if (first >= EIGHT || index >= count) return;
    Face& face = faces[places[index].slot];
    const auto in = [&](int n) { return face.spectrum[n][column]; };
    const auto out = [&](int k, Complex value) {
        face.product[k][column] = value * face.filter[k][column];
    };
    eighth_of_transform(tables->roots, 1, first, in, out);
}

// One thread an eighth of a column: back along the columns. The spectrum is overwritten.
__global__ void kcf_columns_back(Face* faces, const Place* places, int count,
                                 const Tables* tables) {
    const int column = thread_x() % HALF, first = thread_x() / HALF;
    const int index = static_cast<int>(blockIdx.z);
    if (first >= EIGHT || index >= count) return;
    Face& face = faces[places[index].slot];
    const auto in = [&](int n) { return face.product[n][column]; };
    const auto out = [&](int k, Complex value) { face.spectrum[k][column] = value; };
    eighth_of_transform(tables->roots, -1, first, in, out);
}

// One thread an eighth of a row: back along the rows, to responses.
__global__ void kcf_rows_back(Face* faces, const Place* places, int count, const Tables* tables) {
    const int first = thread_x(), row = thread_y(), index = static_cast<int>(blockIdx.z);
    if (first >= EIGHT || row >= SIDE || index >= count) return;
    Face& face = faces[places[index].slot];
    const Complex* half = face.spectrum[row];
    const auto in = [&](int n) { return n < HALF ? half[n] : conjugate(half[SIDE - n]); };
    const auto out = [&](int k, Complex value) { face.response[row][k] = value.re; };
    eighth_of_transform(tables->roots, -1, first, in, out);
}

// One thread a column: its highest response, and its sums.
__global__ void kcf_ridges(Face* faces, const Place* places, int count) {
    const int column = thread_x(), index = static_cast<int>(blockIdx.z);
    if (column >= SIDE || index >= count) return;
    Face& face = faces[places[index].slot];
    Ridge ridge = {face.response[0][column], 0, 0.0f, 0.0f};
    for (int row = 0; row < SIDE; ++row) {
        const float value = face.response[row][column];
        if (value > ridge.height) {
            ridge.height = value;
            ridge.row = row;
        }
        ridge.sum += value;
        ridge.squares += value * value;
    }
    face.ridges[column] = ridge;
}

// One thread a face: the highest response, and its ratio to the others but for `lobe` around it.
// Peaks are in the order of the places.
__global__ void kcf_peaks(const Face* faces, const Place* places, int count, int lobe,
                          Peak* peaks) {
    const int index = thread_x();
    if (index >= count) return;
    const Face& face = faces[places[index].slot];
    float height = face.ridges[0].height, sum = 0.0f, squares = 0.0f;
    int row = face.ridges[0].row, column = 0;
    for (int x = 0; x < SIDE; ++x) {
        const Ridge ridge = face.ridges[x];
        // The first one row by row, should some be equal.
        if (ridge.height > height || (ridge.height == height && ridge.row < row)) {
            height = ridge.height;
            row = ridge.row;
            column = x;
        }
        sum += ridge.sum;
        squares += ridge.squares;
    }
    const int left = column > lobe ? column - lobe : 0, top = row > lobe ? row - lobe : 0;
    const int right = column + lobe < SIDE ? column + lobe + 1 : SIDE;
    const int bottom = row + lobe < SIDE ? row + lobe + 1 : SIDE;
    for (int y = top; y < bottom; ++y) {
        for (int x = left; x < right; ++x) {
            const float value = face.response[y][x];
            sum -= value;
            squares -= value * value;
        }
    }
    const float others = static_cast<float>(SIDE * SIDE - (right - left) * (bottom - top));
    const float mean = sum / others;
    const float least = fmaxf(1e-12f * height * height, 1e-30f);
    const float variance = fmaxf(squares / others - mean * mean, least);
    Peak peak = {static_cast<float>(column - SIDE / 2), static_cast<float>(row - SIDE / 2),
                 (height - mean) / sqrtf(variance)};
    if (column > 0 && column < SIDE - 1) {
        const float* near = &face.response[row][column];
        peak.across += vertex(near[-1], height, near[1]);
    }
    if (row > 0 && row < SIDE - 1) {
        const float above = face.response[row - 1][column], below = face.response[row + 1][column];
        peak.down += vertex(above, height, below);
    }
    peaks[index] = peak;
}

// One thread an eighth of a column: the spectrum of a patch, taken into its filter. A rate of
// one forgets what was there, which may be no numbers at all.
__global__ void kcf_columns_learnt(Face* faces, const Place* places, int count,
                                   const Tables* tables, float regularisation) {
    const int column = thread_x() % HALF, first = thread_x() / HALF;
    const int index = static_cast<int>(blockIdx.z);
    if (first >= EIGHT || index >= count) return;
    const Place& place = places[index];
    Face& face = faces[place.slot];
    float mean = 0.0f;
    for (int row = 0; row < SIDE; ++row) mean += face.row_powers[row];
    const float share = place.rate / fmaxf(mean, 1e-9f), kept = 1.0f - place.rate;
    const auto in = [&](int n) { return face.spectrum[n][column]; };
    const auto out = [&](int k, Complex value) {
        const Complex fit = tables->wanted[k][column] * conjugate(value);
        Complex numerator = {share * fit.re, share * fit.im};
        float power = share * (value.re * value.re + value.im * value.im);
        if (kept > 0.0f) {
            numerator.re += kept * face.numerators[k][column].re;
            numerator.im += kept * face.numerators[k][column].im;
            power += kept * face.powers[k][column];
        }
        face.numerators[k][column] = numerator;
        face.powers[k][column] = power;
        const float below = power + regularisation;
        face.filter[k][column] = {numerator.re / below, numerator.im / below};
    };
    eighth_of_transform(tables->roots, 1, first, in, out);
}

// One thread a pixel: a face, taken into its template; rates as of filters.
__global__ void kcf_blend(Face* faces, const Place* places, int count) {
    const int x = thread_x(), y = thread_y(), index = static_cast<int>(blockIdx.z);
    if (x >= INNER || y >= INNER || index >= count) return;
    const Place& place = places[index];
    Face& face = faces[place.slot];
    const float level = static_cast<float>(face.face[y][x]);
    float& known = face.picture[y][x];
    known = place.rate < 1.0f ? known + place.rate * (level - known) : level;
}

// One thread a product of two functions over a block: float (count, blocks, unknowns, unknowns).
__global__ void kcf_normals(const Face* faces, const Place* places, int count, float* normals) {
    enum { PAIRS = UNKNOWNS * UNKNOWNS };
    const int pair = thread_x() % PAIRS, block = thread_x() / PAIRS;
    const int index = static_cast<int>(blockIdx.z);
    if (block >= BLOCKS * BLOCKS || index >= count) return;
    const Face& face = faces[places[index].slot];
    const int left = block % BLOCKS * BLOCK, top = block / BLOCKS * BLOCK;
    float sum = 0.0f;
    for (int y = top; y < top + BLOCK; ++y) {
        for (int x = left; x < left + BLOCK; ++x) {
            const Functions functions(face.picture, x, y);
            sum += face.weights[y][x] * functions[pair / UNKNOWNS] * functions[pair % UNKNOWNS];
        }
    }
    normals[(index * BLOCKS * BLOCKS + block) * PAIRS + pair] = sum;
}

// One thread a product of a face with a function of its template over a block, or the face's own
// square, which comes last: float (count, blocks, unknowns + 1).
__global__ void kcf_products(const Face* faces, const Place* places, int count, float* products) {
    enum { NUMBERS = UNKNOWNS + 1 };
    const int number = thread_x() % NUMBERS, block = thread_x() / NUMBERS;
    const int index = static_cast<int>(blockIdx.z);
    if (block >= BLOCKS * BLOCKS || index >= count) return;
    const Face& face = faces[places[index].slot];
    const int left = block % BLOCKS * BLOCK, top = block / BLOCKS * BLOCK;
    float sum = 0.0f;
    for (int y = top; y < top + BLOCK; ++y) {
        for (int x = left; x < left + BLOCK; ++x) {
            const float level = static_cast<float>(face.face[y][x]);
            const Functions functions(face.picture, x, y);
            const float by = number < UNKNOWNS ? functions[number] : level;
            sum += face.weights[y][x] * by * level;
        }
    }
    products[(index * BLOCKS * BLOCKS + block) * NUMBERS + number] = sum;
}

}  // extern "C"
