#include "model_registry/checkpoint/tensor.hpp"

#include <array>
#include <bit>
#include <cstring>

namespace tv {
namespace {

struct DTypeRow {
  std::string_view name;
  std::size_t size;
};

// In the order of the enum.
constexpr std::array kDTypes = {
    DTypeRow{"float32", 4}, DTypeRow{"float64", 8}, DTypeRow{"float16", 2}, DTypeRow{"bfloat16", 2},
    DTypeRow{"int64", 8},   DTypeRow{"int32", 4},   DTypeRow{"int16", 2},   DTypeRow{"int8", 1},
    DTypeRow{"uint8", 1},   DTypeRow{"bool", 1},    DTypeRow{"qint8", 1},   DTypeRow{"quint8", 1},
    DTypeRow{"qint32", 4},
};
static_assert(kDTypes.size() == static_cast<std::size_t>(DType::kQInt32) + 1);
static_assert(std::endian::native == std::endian::little, "views are little-endian bytes");

// Calls visit(first element, count, stride in bytes) for each innermost row, in row-major order,
// until it returns false.
template <typename Visit>
void for_each_row(const TensorView& view, Visit visit) {
  if (view.numel() == 0) return;
  const std::size_t rank = view.sizes.size();
  const auto item = static_cast<std::int64_t>(dtype_size(view.dtype));
  const std::int64_t count = rank == 0 ? 1 : view.sizes.back();
  const std::int64_t step = rank == 0 ? item : view.strides.back() * item;
  if (view.is_contiguous()) {
    visit(view.data, view.numel(), item);
    return;
  }
  Shape index(rank, 0);
  while (true) {
    std::int64_t offset = 0;
    for (std::size_t d = 0; d + 1 < rank; ++d) offset += index[d] * view.strides[d];
    if (!visit(view.data + offset * item, count, step)) return;
    std::size_t d = rank - 1;
    while (d > 0 && ++index[d - 1] == view.sizes[d - 1]) index[--d] = 0;
    if (d == 0) return;
  }
}

// All exponent bits set: infinity or not a number.
template <typename Bits, Bits kExponent>
bool has_full_exponent(const std::byte* data) {
  Bits bits;
  std::memcpy(&bits, data, sizeof bits);
  return (bits & kExponent) == kExponent;
}

template <typename Bits, Bits kExponent>
bool row_has_nonfinite(const std::byte* data, std::int64_t count, std::int64_t step) {
  constexpr std::int64_t kDense = sizeof(Bits);
  bool found = false;
  if (step == kDense) {  // the compiler makes vectors of this one
    for (std::int64_t i = 0; i < count; ++i)
      found |= has_full_exponent<Bits, kExponent>(data + i * kDense);
  } else {
    for (std::int64_t i = 0; i < count; ++i)
      found |= has_full_exponent<Bits, kExponent>(data + i * step);
  }
  return found;
}

template <std::size_t kSize>
void copy_row(std::byte* out, const std::byte* in, std::int64_t count, std::int64_t step) {
  for (std::int64_t i = 0; i < count; ++i)
    std::memcpy(out + i * std::int64_t{kSize}, in + i * step, kSize);
}

}  // namespace

std::size_t dtype_size(DType dtype) {
  return kDTypes[static_cast<std::size_t>(dtype)].size;
}
std::string_view dtype_name(DType dtype) {
  return kDTypes[static_cast<std::size_t>(dtype)].name;
}

std::string shape_text(const Shape& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(shape[i]);
  }
  return text + "]";
}

std::int64_t TensorView::numel() const {
  std::int64_t product = 1;
  for (const std::int64_t size : sizes) product *= size;
  return product;
}

bool TensorView::is_contiguous() const {
  if (numel() == 0) return true;
  std::int64_t expected = 1;
  for (std::size_t d = sizes.size(); d-- > 0;) {
    if (sizes[d] != 1 && strides[d] != expected) return false;
    expected *= sizes[d];
  }
  return true;
}

std::vector<std::byte> contiguous_bytes(const TensorView& view) {
  const std::size_t item = dtype_size(view.dtype);
  std::vector<std::byte> bytes(static_cast<std::size_t>(view.numel()) * item);
  std::byte* out = bytes.data();
  for_each_row(view, [&](const std::byte* row, std::int64_t count, std::int64_t step) {
    const std::size_t length = static_cast<std::size_t>(count) * item;
    if (step == static_cast<std::int64_t>(item))
      std::memcpy(out, row, length);
    else if (item == 1)
      copy_row<1>(out, row, count, step);
    else if (item == 2)
      copy_row<2>(out, row, count, step);
    else if (item == 4)
      copy_row<4>(out, row, count, step);
    else
      copy_row<8>(out, row, count, step);
    out += length;
    return true;
  });
  return bytes;
}

bool has_nonfinite(const TensorView& view) {
  bool (*check)(const std::byte*, std::int64_t, std::int64_t) = nullptr;
  switch (view.dtype) {
    case DType::kFloat32:
      check = row_has_nonfinite<std::uint32_t, 0x7F800000U>;
      break;
    case DType::kFloat64:
      check = row_has_nonfinite<std::uint64_t, 0x7FF0000000000000U>;
      break;
    case DType::kFloat16:
      check = row_has_nonfinite<std::uint16_t, 0x7C00U>;
      break;
    case DType::kBFloat16:
      check = row_has_nonfinite<std::uint16_t, 0x7F80U>;
      break;
    default:
      return false;
  }
  bool found = false;
  for_each_row(view, [&](const std::byte* row, std::int64_t count, std::int64_t step) {
    found = check(row, count, step);
    return !found;
  });
  return found;
}

}  // namespace tv
