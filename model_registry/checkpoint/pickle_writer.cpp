#include "model_registry/checkpoint/pickle_writer.hpp"

#include <cstring>
#include <memory>

#include "model_registry/checkpoint/globals.hpp"

namespace tv::checkpoint {
namespace {

void put_le(std::string& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xFF);
}

Shape contiguous_strides(const Shape& sizes) {
  Shape strides(sizes.size(), 1);
  for (std::size_t d = sizes.size(); d-- > 1;)
    strides[d - 1] = strides[d] * (sizes[d] > 0 ? sizes[d] : 1);
  return strides;
}

}  // namespace

PickleWriter::PickleWriter() : out_("\x80\x02") {}

std::string PickleWriter::finish() {
  out_ += '.';
  return std::move(out_);
}

void PickleWriter::global(std::string_view module, std::string_view name) {
  out_ += 'c';
  out_ += module;
  out_ += '\n';
  out_ += name;
  out_ += '\n';
}

void PickleWriter::string(std::string_view text) {
  out_ += 'X';
  put_le(out_, text.size(), 4);
  out_ += text;
}

void PickleWriter::integer(std::int64_t value) {
  if (value >= 0 && value < 256) {
    out_ += 'K';
    put_le(out_, static_cast<std::uint64_t>(value), 1);
  } else if (value >= INT32_MIN && value <= INT32_MAX) {
    out_ += 'J';
    put_le(out_, static_cast<std::uint64_t>(value), 4);
  } else {
    out_ += "\x8a\x08";
    put_le(out_, static_cast<std::uint64_t>(value), 8);
  }
}

void PickleWriter::real(double value) {
  std::uint64_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  out_ += 'G';
  for (int i = 7; i >= 0; --i) out_ += static_cast<char>(bits >> (8 * i) & 0xFF);
}

void PickleWriter::ordered_dict() {
  global("collections", "OrderedDict");
  out_ += ")R";
}

void PickleWriter::storage(const TensorView& view) {
  out_ += '(';
  string("storage");
  global("torch", storage_class(view.dtype));
  string(std::to_string(storages_.size()));
  string("cpu");
  integer(view.numel());
  out_ += "tQ";
  storages_.push_back(view);
}

void PickleWriter::shape(const Shape& sizes) {
  out_ += '(';
  for (const std::int64_t size : sizes) integer(size);
  out_ += 't';
}

// torch._utils._rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks)
void PickleWriter::tensor(const TensorView& view) {
  global("torch._utils", view.quantization ? "_rebuild_qtensor" : "_rebuild_tensor_v2");
  out_ += '(';
  storage(view);
  integer(0);
  shape(view.sizes);
  shape(contiguous_strides(view.sizes));
  if (view.quantization) quantizer(*view.quantization);
  out_ += '\x89';
  ordered_dict();
  out_ += "tR";
}

// (per_tensor_affine, scale, zero_point), (per_channel_affine, scales, zero_points, axis)
void PickleWriter::quantizer(const Quantization& quantization) {
  out_ += '(';
  if (quantization.axis < 0) {
    global("torch", "per_tensor_affine");
    real(quantization.scales.at(0));
    integer(quantization.zero_points.at(0));
  } else {
    global("torch", "per_channel_affine");
    vector(DType::kFloat64, quantization.scales);
    vector(DType::kInt64, quantization.zero_points);
    integer(quantization.axis);
  }
  out_ += 't';
}

template <typename T>
void PickleWriter::vector(DType dtype, const std::vector<T>& values) {
  const auto copy = std::make_shared<std::vector<T>>(values);
  TensorView view;
  view.dtype = dtype;
  view.sizes = {static_cast<std::int64_t>(values.size())};
  view.strides = {1};
  view.data = reinterpret_cast<const std::byte*>(copy->data());
  view.storage = copy;
  tensor(view);
}

void PickleWriter::state_dict(const std::vector<std::pair<std::string, TensorView>>& entries,
                              const std::map<std::string, std::int64_t>& versions) {
  ordered_dict();
  out_ += '(';
  for (const auto& [name, view] : entries) {
    string(name);
    tensor(view);
  }
  out_ += 'u';
  if (versions.empty()) return;
  out_ += '}';
  string("_metadata");
  ordered_dict();
  out_ += '(';
  for (const auto& [path, version] : versions) {
    string(path);
    out_ += '}';
    string("version");
    integer(version);
    out_ += 's';
  }
  out_ += "usb";
}

}  // namespace tv::checkpoint
