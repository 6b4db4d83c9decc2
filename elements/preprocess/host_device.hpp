// What lets one function run on the host and in a CUDA kernel with the same bits. C++17, no CUDA
// headers: a host compiler sees ordinary inline functions. Private to this folder.
#pragma once

#include <cmath>
#include <cstdint>

#ifdef __CUDACC__
#define TV_HOST_DEVICE __host__ __device__
#else
#define TV_HOST_DEVICE
#endif

namespace tv::preprocess {

/// Float32 operations that round once each. On the device nvcc would fuse a * b + c, so they are
/// spelled out there; on the host the whole project is compiled with -ffp-contract=off.
TV_HOST_DEVICE inline float multiply(float a, float b) {
#ifdef __CUDA_ARCH__
  return __fmul_rn(a, b);
#else
  return a * b;
#endif
}
TV_HOST_DEVICE inline float add(float a, float b) {
#ifdef __CUDA_ARCH__
  return __fadd_rn(a, b);
#else
  return a + b;
#endif
}
/// a * b + c, rounded once.
TV_HOST_DEVICE inline float fused(float a, float b, float c) {
#ifdef __CUDA_ARCH__
  return __fmaf_rn(a, b, c);
#else
  return std::fma(a, b, c);
#endif
}
/// To the nearest integer, halves to even. `value` is within the range of int32.
TV_HOST_DEVICE inline std::int32_t nearest(float value) {
#ifdef __CUDA_ARCH__
  return __float2int_rn(value);
#else
  return static_cast<std::int32_t>(std::nearbyint(value));
#endif
}

/// low <= high. std::clamp cannot be called in a kernel without an experimental option of nvcc.
TV_HOST_DEVICE constexpr std::int32_t clamped(std::int32_t value, std::int32_t low,
                                              std::int32_t high) {
  return value < low ? low : high < value ? high : value;
}

}  // namespace tv::preprocess
