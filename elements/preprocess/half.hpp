// float32 to the 16-bit float formats, to nearest with halves to even, as bits. Private to this
// folder.
#pragma once

#include <bit>
#include <cstdint>

namespace tv::preprocess {

/// IEEE 754 binary16: beyond 65504 + half a step infinity; below 2^-14 subnormal; NaN stays NaN.
constexpr std::uint16_t float16_bits(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000);
  const std::uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return static_cast<std::uint16_t>(sign | 0x7e00);
  if (magnitude >= 0x477ff000) return static_cast<std::uint16_t>(sign | 0x7c00);
  // What is kept and how many bits of it go: 13, more where the result is subnormal.
  const int exponent = static_cast<int>(magnitude >> 23);
  std::uint32_t kept = magnitude - (std::uint32_t{112} << 23);
  int dropped = 13;
  if (exponent < 113) {
    if (exponent < 102) return sign;  // below half of the smallest
    kept = (magnitude & 0x7fffff) | 0x800000;
    dropped = 126 - exponent;
  }
  const std::uint32_t half = std::uint32_t{1} << (dropped - 1);
  const std::uint32_t odd = kept >> dropped & 1;
  return static_cast<std::uint16_t>(sign | (kept + half - 1 + odd) >> dropped);
}

/// The upper half of a float32. NaN stays NaN.
constexpr std::uint16_t bfloat16_bits(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffff) > 0x7f800000) return static_cast<std::uint16_t>(bits >> 16 | 0x40);
  return static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

}  // namespace tv::preprocess
