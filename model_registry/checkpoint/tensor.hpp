// Tensors as data: what files hold and what graphs declare. No LibTorch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tv {

using Shape = std::vector<std::int64_t>;

enum class DType : std::uint8_t {
  kFloat32,
  kFloat64,
  kFloat16,
  kBFloat16,
  kInt64,
  kInt32,
  kInt16,
  kInt8,
  kUInt8,
  kBool,
  kQInt8,
  kQUInt8,
  kQInt32,
};

/// Bytes of one element.
std::size_t dtype_size(DType dtype);
/// PyTorch's name without "torch.": "float32", "qint8".
std::string_view dtype_name(DType dtype);
/// "[64, 3, 7, 7]"
std::string shape_text(const Shape& shape);

/// How a quantised tensor maps integers to real values: real = scale * (q - zero_point).
struct Quantization {
  std::vector<double> scales;             ///< one (per tensor) or shape[axis] (per channel)
  std::vector<std::int64_t> zero_points;  ///< as many as scales
  std::int64_t axis = -1;                 ///< -1: per tensor
};

/// A read-only strided view. Every element that sizes and strides can reach has been proved to lie
/// inside `storage`.
struct TensorView {
  DType dtype = DType::kFloat32;
  Shape sizes;
  Shape strides;  ///< in elements, each >= 0
  const std::byte* data =
      nullptr;  ///< first element, little-endian, possibly unaligned: copy, do not cast
  std::shared_ptr<const void> storage;  ///< keeps `data` alive
  std::optional<Quantization> quantization;

  std::int64_t numel() const;
  bool is_contiguous() const;
};

/// Row-major bytes of a view (numel * dtype_size).
std::vector<std::byte> contiguous_bytes(const TensorView& view);

/// True when a float32, float64, float16 or bfloat16 view holds an infinity or a NaN; false for
/// every other dtype.
bool has_nonfinite(const TensorView& view);

}  // namespace tv
