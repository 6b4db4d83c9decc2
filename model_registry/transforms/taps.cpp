#include "model_registry/transforms/taps.hpp"

#include <algorithm>
#include <cmath>

namespace tv {
namespace {

// LibTorch's AVX2 kernels are compiled with contraction: the compiler fused some multiplications
// with the addition after them. Which ones was found by comparing bits with LibTorch 2.11.0;
// `fused` marks them below. std::fma is exact with or without the instruction.
float multiply_add(float a, float b, float c, bool fused) {
  return fused ? std::fma(a, b, c) : a * b + c;
}

float triangle(float x) {
  x = std::fabs(x);
  return x < 1.0f ? 1.0f - x : 0.0f;
}

// Keys 1981 with a = -0.5: x in -2..2.
float keys_cubic(float x, bool fused) {
  x = std::fabs(x);
  if (x < 1.0f) {
    const float inner = multiply_add(1.5f, x, -2.5f, fused) * x;
    return multiply_add(inner, x, 1.0f, fused);
  }
  if (x < 2.0f) {
    const float quadratic = multiply_add(-0.5f, x, 2.5f, fused);
    const float cubic = multiply_add(quadratic, x, -4.0f, fused);
    return multiply_add(cubic, x, 2.0f, fused);
  }
  return 0.0f;
}

// The same polynomials with a = -0.75, as the kernel without antialiasing evaluates them: x in 0..1
// and in 1..2.
float sharp_cubic_near(float x) {
  return (1.25f * x - 2.25f) * x * x + 1.0f;
}
float sharp_cubic_far(float x, bool fused) {
  const float quadratic = -0.75f * x + 3.75f;
  return multiply_add(quadratic, x, -6.0f, fused) * x + 3.0f;
}

// Taps of an antialiased sum that LibTorch does not fuse: its compiler turned the loop over taps
// 1, 2, ... into groups of four whose products are rounded, and fused the remaining ones.
std::int32_t separate_taps(std::int32_t count, FloatSums sums) {
  return sums == FloatSums::kSeparate ? count : 1 + (count - 1) / 4 * 4;
}

AxisTaps sized(const AxisRequest& request, int stride, bool fixed_point) {
  const auto outputs = static_cast<std::size_t>(request.end - request.begin);
  AxisTaps taps;
  taps.source_size = request.source_size;
  taps.stride = stride;
  taps.first.resize(outputs);
  taps.count.resize(outputs);
  if (fixed_point) {
    taps.fixed.resize(outputs * static_cast<std::size_t>(stride));
  } else {
    taps.separate.resize(outputs);
    taps.weights.resize(outputs * static_cast<std::size_t>(stride));
  }
  return taps;
}

double pil_filter(double x, Interpolation interpolation) {
  x = std::fabs(x);
  if (interpolation == Interpolation::kBilinear) return x < 1.0 ? 1.0 - x : 0.0;
  constexpr double a = -0.5;
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

int filter_width(Interpolation interpolation) {
  return interpolation == Interpolation::kBilinear ? 2 : 4;
}

}  // namespace

FloatSums native_float_sums() {
#if defined(__x86_64__) || defined(__i386__)
  static const bool fused = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return fused ? FloatSums::kGrouped : FloatSums::kSeparate;
#else
  return FloatSums::kGrouped;
#endif
}

AxisTaps identity_taps(int source_size, int begin, int end) {
  AxisTaps taps;
  taps.identity = true;
  taps.source_size = source_size;
  for (int i = begin; i < end; ++i) taps.first.push_back(i);
  taps.count.assign(taps.first.size(), 1);
  taps.separate.assign(taps.first.size(), 1);
  return taps;
}

AxisTaps pil_taps(const AxisRequest& request) {
  const double scale = static_cast<double>(request.source_size) / request.resized_size;
  const double filter_scale = std::max(scale, 1.0);
  const double support = filter_width(request.interpolation) * 0.5 * filter_scale;
  const double inverse = 1.0 / filter_scale;
  AxisTaps taps = sized(request, static_cast<int>(std::ceil(support)) * 2 + 1, true);
  std::vector<double> weights(static_cast<std::size_t>(taps.stride));
  for (int i = request.begin; i < request.end; ++i) {
    const auto slot = static_cast<std::size_t>(i - request.begin);
    const double center = (i + 0.5) * scale;
    const int first = std::max(static_cast<int>(center - support + 0.5), 0);
    const int count =
        std::min(static_cast<int>(center + support + 0.5), request.source_size) - first;
    double total = 0;
    for (int k = 0; k < count; ++k) {
      const double weight = pil_filter((k + first - center + 0.5) * inverse, request.interpolation);
      weights[static_cast<std::size_t>(k)] = weight;
      total += weight;
    }
    std::int32_t* fixed = taps.fixed.data() + slot * static_cast<std::size_t>(taps.stride);
    for (int k = 0; k < count; ++k) {
      double weight = weights[static_cast<std::size_t>(k)];
      if (total != 0.0) weight /= total;
      const double scaled = weight * (1 << 22);
      fixed[k] = static_cast<std::int32_t>(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
    }
    taps.first[slot] = first;
    taps.count[slot] = count;
  }
  return taps;
}

AxisTaps tensor_taps(const AxisRequest& request, FloatSums sums) {
  // The mixture of float and double below is ATen's: variables are float, literals are double.
  const float scale =
      static_cast<float>(request.source_size) / static_cast<float>(request.resized_size);
  const double half_width = filter_width(request.interpolation) * 0.5;
  const auto support =
      static_cast<float>(scale >= 1.0f ? half_width * static_cast<double>(scale) : half_width);
  const float inverse = scale >= 1.0f ? static_cast<float>(1.0 / static_cast<double>(scale)) : 1.0f;
  const bool fused = sums == FloatSums::kGrouped;
  AxisTaps taps = sized(request, static_cast<int>(std::ceil(support)) * 2 + 1, false);
  for (int i = request.begin; i < request.end; ++i) {
    const auto slot = static_cast<std::size_t>(i - request.begin);
    const auto center = static_cast<float>(static_cast<double>(scale) * (i + 0.5));
    const int first = std::max(static_cast<int>(static_cast<double>(center - support) + 0.5), 0);
    const int end = std::min(static_cast<int>(static_cast<double>(center + support) + 0.5),
                             request.source_size);
    const int count = std::clamp(end - first, 0, taps.stride);
    float* weights = taps.weights.data() + slot * static_cast<std::size_t>(taps.stride);
    float total = 0;
    for (int k = 0; k < count; ++k) {
      const float distance = static_cast<float>(k + first) - center;
      const auto x =
          static_cast<float>((static_cast<double>(distance) + 0.5) * static_cast<double>(inverse));
      weights[k] =
          request.interpolation == Interpolation::kBilinear ? triangle(x) : keys_cubic(x, fused);
      total += weights[k];
    }
    if (total != 0.0f)
      for (int k = 0; k < count; ++k) weights[k] /= total;
    taps.first[slot] = first;
    taps.count[slot] = std::max(count, 1);
    taps.separate[slot] = separate_taps(taps.count[slot], sums);
  }
  return taps;
}

AxisTaps tensor_taps_without_antialias(const AxisRequest& request, FloatSums sums) {
  const float scale =
      static_cast<float>(request.source_size) / static_cast<float>(request.resized_size);
  const bool fused = sums == FloatSums::kGrouped;
  const bool cubic = request.interpolation == Interpolation::kBicubic;
  const int width = filter_width(request.interpolation);
  AxisTaps taps = sized(request, width, false);
  taps.lead = fused ? 1 : 0;
  for (int i = request.begin; i < request.end; ++i) {
    const auto slot = static_cast<std::size_t>(i - request.begin);
    float place = multiply_add(scale, static_cast<float>(i) + 0.5f, -0.5f, fused);
    if (!cubic) place = std::max(place, 0.0f);
    const int index = std::min(static_cast<int>(std::floor(place)), request.source_size - 1);
    const float lambda = std::clamp(place - static_cast<float>(index), 0.0f, 1.0f);
    const float rest = 1.0f - lambda;
    float* weights = taps.weights.data() + slot * static_cast<std::size_t>(width);
    if (cubic) {
      weights[0] = sharp_cubic_far(lambda + 1.0f, fused);
      weights[1] = sharp_cubic_near(lambda);
      weights[2] = sharp_cubic_near(rest);
      weights[3] = sharp_cubic_far(rest + 1.0f, fused);
    } else {
      weights[0] = rest;
      weights[1] = lambda;
    }
    taps.first[slot] = cubic ? index - 1 : index;
    taps.count[slot] = width;
    taps.separate[slot] = fused ? 1 : width;
  }
  return taps;
}

}  // namespace tv
