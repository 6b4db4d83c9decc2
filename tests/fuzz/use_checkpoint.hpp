// What every reader's fuzz target does with an answer: use all of it, so that a sanitizer sees a
// bad view.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "model_registry/checkpoint/checkpoint.hpp"
#include "model_registry/checkpoint/fault.hpp"
#include "tests/fuzz/require.hpp"

namespace tv::fuzz {

inline void use(const TensorView& view) {
  constexpr std::uint64_t kMaxCopy =
      1 << 20;  // legal expansions may be larger than is worth copying here
  require(view.sizes.size() == view.strides.size());
  std::int64_t last = 0;
  for (std::size_t d = 0; d < view.sizes.size(); ++d) {
    require(view.sizes[d] >= 0 && view.strides[d] >= 0);
    if (view.sizes[d] > 0) last += (view.sizes[d] - 1) * view.strides[d];
  }
  const std::size_t item = dtype_size(view.dtype);
  const auto numel = static_cast<std::uint64_t>(view.numel());
  if (view.quantization) {
    const Quantization& q = *view.quantization;
    const auto axis = static_cast<std::size_t>(q.axis);
    const std::size_t channels = q.axis < 0 ? 1 : static_cast<std::size_t>(view.sizes.at(axis));
    require(q.scales.size() == channels && q.zero_points.size() == channels);
  }
  if (numel == 0) return;
  volatile std::byte sink = view.data[0];
  sink = view.data[(static_cast<std::size_t>(last) + 1) * item - 1];
  static_cast<void>(sink);
  if (numel * item > kMaxCopy) return;
  require(contiguous_bytes(view).size() == numel * item);
  has_nonfinite(view);
}

inline void use(const CheckpointValue& value) {
  if (value.tensor() != nullptr) use(*value.tensor());
  if (const auto* list = std::get_if<CheckpointList>(&value.value))
    for (const CheckpointValue& item : *list) use(item);
  if (const auto* text = std::get_if<std::string>(&value.value))
    require(checkpoint::valid_utf8(*text));
}

inline void use(const Result<Checkpoint>& read) {
  if (read) {
    for (const auto& [name, value] : read->entries) {
      require(checkpoint::valid_utf8(name));
      use(value);
    }
    return;
  }
  const Error& error = read.error();
  require(error.code == Code::kBadCheckpoint && !error.what.empty());
  require(checkpoint::valid_utf8(error.what) && error.what.find('\n') == std::string::npos);
}

/// An allocation of exactly these bytes.
inline FileBytes file_of(std::string bytes) {
  FileBytes file;
  const std::shared_ptr<std::byte> copy(new std::byte[bytes.size()],
                                        std::default_delete<std::byte[]>());
  bytes.copy(reinterpret_cast<char*>(copy.get()), bytes.size());
  file.data = copy;
  file.size = bytes.size();
  file.path = "x.pth";
  return file;
}

}  // namespace tv::fuzz
