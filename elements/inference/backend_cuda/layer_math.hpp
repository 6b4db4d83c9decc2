// The arithmetic of the network's own kernels, for host and device: tests run it on the CPU. C++17,
// no CUDA and no LibTorch.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#ifdef __CUDACC__
#include <cuda_fp16.h>
#define TV_LAYER_MATH __host__ __device__
#else
#define TV_LAYER_MATH
#endif

namespace tv::inference {

/// The order of graph::Activation, which C++17 cannot include.
enum class LayerActivation : std::uint8_t {
  kNone,
  kRelu,
  kRelu6,
  kSigmoid,
  kSilu,
  kHardswish,
  kGelu
};

/// In float32, as LibTorch's kernels; NaN stays NaN.
TV_LAYER_MATH inline float activated(float x, LayerActivation activation) {
  switch (activation) {
    case LayerActivation::kNone:
      return x;
    case LayerActivation::kRelu:
      return x < 0 ? 0 : x;
    case LayerActivation::kRelu6:
      return x < 0 ? 0 : 6 < x ? 6 : x;
    case LayerActivation::kSigmoid:
      return 1 / (1 + expf(-x));
    case LayerActivation::kSilu:
      return x / (1 + expf(-x));
    case LayerActivation::kHardswish: {
      const float moved = x + 3;
      return x * (moved < 0 ? 0 : 6 < moved ? 6 : moved) * (1.0F / 6);
    }
    case LayerActivation::kGelu:
      return x * 0.5F * (1 + erff(x * 0.70710678118654752F));
  }
  return x;
}

// ---- 16-bit numbers, as their bits

struct Float16 {
  std::uint16_t bits;
};
struct BFloat16 {
  std::uint16_t bits;
};

inline TV_LAYER_MATH float float_of_bits(std::uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}
inline TV_LAYER_MATH std::uint32_t bits_of_float(float value) {
  std::uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

inline TV_LAYER_MATH float widened(float value) {
  return value;
}
inline TV_LAYER_MATH float widened(BFloat16 value) {
  return float_of_bits(static_cast<std::uint32_t>(value.bits) << 16);
}
inline TV_LAYER_MATH float widened(Float16 value) {
#ifdef __CUDA_ARCH__
  return __half2float(__ushort_as_half(value.bits));
#else
  const std::uint32_t sign = static_cast<std::uint32_t>(value.bits & 0x8000) << 16;
  const std::uint32_t magnitude = value.bits & 0x7fff;
  if (magnitude >= 0x7c00) return float_of_bits(sign | 0x7f800000 | (magnitude & 0x3ff) << 13);
  // The exponent's bias moves by 112: as a product, which makes subnormal numbers normal.
  const float scaled = float_of_bits(magnitude << 13) * 0x1p112F;
  return float_of_bits(sign | bits_of_float(scaled));
#endif
}

/// To nearest, halves to even.
template <typename T>
TV_LAYER_MATH inline T narrowed(float value);
template <>
TV_LAYER_MATH inline float narrowed<float>(float value) {
  return value;
}
template <>
TV_LAYER_MATH inline BFloat16 narrowed<BFloat16>(float value) {
  const std::uint32_t bits = bits_of_float(value);
  if ((bits & 0x7fffffff) > 0x7f800000) return {static_cast<std::uint16_t>(bits >> 16 | 0x40)};
  return {static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}
template <>
TV_LAYER_MATH inline Float16 narrowed<Float16>(float value) {
#ifdef __CUDA_ARCH__
  return {__half_as_ushort(__float2half_rn(value))};
#else
  const std::uint32_t bits = bits_of_float(value);
  const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000);
  const std::uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return {static_cast<std::uint16_t>(sign | 0x7e00)};
  if (magnitude >= 0x477ff000) return {static_cast<std::uint16_t>(sign | 0x7c00)};
  // Adding a number whose last place is the result's rounds there, to even.
  const std::uint32_t exponent = magnitude < 0x38800000 ? 0x38800000U : magnitude & 0x7f800000;
  const float step = float_of_bits(exponent) * 0x1p13F;
  const float rounded = (float_of_bits(magnitude) + step) - step;
  return {static_cast<std::uint16_t>(sign | bits_of_float(rounded * 0x1p-112F) >> 13)};
#endif
}

// ---- act(x * scale + shift + residual), by channel

/// Elements lie channel after channel: element i is of channel i % channels. `out` may be `in`.
struct AffineLaunch {
  const void* in;
  void* out;
  const void* residual;  ///< nullptr: none
  const float* scale;    ///< [channels]; nullptr: 1
  const float* shift;    ///< [channels]; nullptr: 0
  std::int64_t elements;
  std::int32_t channels;
  LayerActivation activation;
};

/// `kWidth` elements from `begin` on, all of neighbouring channels: `channels` is a multiple of it.
template <typename T, int kWidth>
TV_LAYER_MATH inline void affine(const AffineLaunch& launch, std::int64_t begin) {
  struct alignas(sizeof(T) * kWidth) Pack {
    T values[kWidth];
  };
  const auto channel = static_cast<std::int32_t>(begin % launch.channels);
  const Pack in = *reinterpret_cast<const Pack*>(static_cast<const T*>(launch.in) + begin);
  Pack residual{};
  if (launch.residual)
    residual = *reinterpret_cast<const Pack*>(static_cast<const T*>(launch.residual) + begin);
  Pack out;
  for (int i = 0; i < kWidth; ++i) {
    float x = widened(in.values[i]);
    if (launch.scale) x *= launch.scale[channel + i];
    if (launch.shift) x += launch.shift[channel + i];
    if (launch.residual) x += widened(residual.values[i]);
    out.values[i] = narrowed<T>(activated(x, launch.activation));
  }
  *reinterpret_cast<Pack*>(static_cast<T*>(launch.out) + begin) = out;
}

// ---- the largest of each window, by channel

/// Channels last: [pictures, height, width, channels] -> [pictures, out_height, out_width,
/// channels]. Windows are (vertical, horizontal); at least one place of each lies in the picture,
/// and padding is never the largest.
struct PoolLaunch {
  const void* in;
  void* out;
  std::int64_t elements;  ///< of out
  std::int32_t channels;
  std::int32_t height, width;
  std::int32_t out_height, out_width;
  std::int32_t kernel[2], stride[2], padding[2], dilation[2];
};

/// `kWidth` elements of the result from `begin` on, all of neighbouring channels: `channels` is a
/// multiple of it. NaN where the window holds one.
template <typename T, int kWidth>
TV_LAYER_MATH inline void max_pool(const PoolLaunch& launch, std::int64_t begin) {
  struct alignas(sizeof(T) * kWidth) Pack {
    T values[kWidth];
  };
  const std::int64_t place = begin / launch.channels;
  const auto channel = static_cast<std::int32_t>(begin % launch.channels);
  const auto out_x = static_cast<std::int32_t>(place % launch.out_width);
  const auto out_y = static_cast<std::int32_t>(place / launch.out_width % launch.out_height);
  const std::int64_t picture = place / launch.out_width / launch.out_height;
  const std::int32_t top = out_y * launch.stride[0] - launch.padding[0];
  const std::int32_t left = out_x * launch.stride[1] - launch.padding[1];

  float largest[kWidth];
  for (int i = 0; i < kWidth; ++i) largest[i] = -float_of_bits(0x7f800000);  // infinity
  for (std::int32_t row = 0; row < launch.kernel[0]; ++row) {
    const std::int32_t y = top + row * launch.dilation[0];
    if (y < 0 || y >= launch.height) continue;
    for (std::int32_t column = 0; column < launch.kernel[1]; ++column) {
      const std::int32_t x = left + column * launch.dilation[1];
      if (x < 0 || x >= launch.width) continue;
      const std::int64_t at =
          ((picture * launch.height + y) * launch.width + x) * launch.channels + channel;
      const Pack in = *reinterpret_cast<const Pack*>(static_cast<const T*>(launch.in) + at);
      for (int i = 0; i < kWidth; ++i) {
        const float value = widened(in.values[i]);
        if (value > largest[i] || value != value) largest[i] = value;  // nothing is above a NaN
      }
    }
  }
  Pack out;
  for (int i = 0; i < kWidth; ++i) out.values[i] = narrowed<T>(largest[i]);
  *reinterpret_cast<Pack*>(static_cast<T*>(launch.out) + begin) = out;
}

// ---- the largest logits of a row

struct Ranked {
  float logit;
  std::int32_t index;  ///< -1: nobody
};

/// Larger logits first, equal ones in order of index; nobody comes last.
TV_LAYER_MATH inline bool before(const Ranked& a, const Ranked& b) {
  if (a.index < 0 || b.index < 0) return b.index < 0 && a.index >= 0;
  return a.logit != b.logit ? a.logit > b.logit : a.index < b.index;
}

/// The first one behind `after` among every `lanes`-th logit from `lane` on.
TV_LAYER_MATH inline Ranked best_behind(const float* logits, std::int32_t classes,
                                        const Ranked& after, int lane, int lanes) {
  Ranked best{0, -1};
  for (std::int32_t i = lane; i < classes; i += lanes) {
    const Ranked each{logits[i], i};
    if ((after.index < 0 || before(after, each)) && before(each, best)) best = each;
  }
  return best;
}

/// The lane's share of the sum of exp(logit - largest), in float64; NaN where a logit is NaN or
/// infinite.
TV_LAYER_MATH inline double exponentials(const float* logits, std::int32_t classes, float largest,
                                         int lane, int lanes) {
  double sum = 0;
  for (std::int32_t i = lane; i < classes; i += lanes) {
    const float logit = logits[i];
    // logit - logit is 0 but for NaN and infinities, of which it is NaN.
    sum += exp(static_cast<double>(logit) - static_cast<double>(largest)) +
           static_cast<double>(logit - logit);
  }
  return sum;
}

/// One class of an answer.
struct RankedScore {
  std::int32_t index;  ///< -1: there are fewer classes, or nothing can be said
  float probability;
};
/// Classes of an answer that are found on the device.
constexpr int kDeviceTopK = 8;

/// The rows' answers: [rows, kDeviceTopK].
struct TopKLaunch {
  const float* logits;  ///< [rows, classes]
  RankedScore* answers;
  std::int32_t rows, classes;
};

/// The probability of a logit, or nothing where the sum is no number.
TV_LAYER_MATH inline RankedScore scored(const Ranked& ranked, float largest, double sum) {
  if (ranked.index < 0 || !(sum >= 1)) return {-1, 0};
  return {ranked.index,
          static_cast<float>(exp(static_cast<double>(ranked.logit) - static_cast<double>(largest)) /
                             sum)};
}

}  // namespace tv::inference
