// Small helpers for bytes that nobody has checked yet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "model_registry/checkpoint/budget.hpp"

namespace tv::checkpoint {

/// A little-endian number at `bytes`, unaligned; the caller has checked that sizeof(T) bytes are
/// there.
template <typename T>
T load_le(const std::byte* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

/// Grows a full vector by doubling, charged before: false when the budget does not allow it.
template <typename T>
[[nodiscard]] bool charge_growth(std::vector<T>& vector, Budget& budget) {
  if (vector.size() < vector.capacity()) return true;
  const std::size_t capacity = vector.empty() ? 2 : vector.size() * 2;
  if (!budget.charge(capacity * sizeof(T))) return false;
  vector.reserve(capacity);
  return true;
}

/// a + b and a * b of non-negative numbers; false when they leave int64.
inline bool checked_add(std::int64_t a, std::int64_t b, std::int64_t* sum) {
  return !__builtin_add_overflow(a, b, sum);
}
inline bool checked_multiply(std::int64_t a, std::int64_t b, std::int64_t* product) {
  return !__builtin_mul_overflow(a, b, product);
}

}  // namespace tv::checkpoint
