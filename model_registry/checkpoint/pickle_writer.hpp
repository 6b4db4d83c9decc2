// The pickle of tensors and state dicts that Python's torch.load(weights_only=True) reads.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model_registry/checkpoint/tensor.hpp"
#include "model_registry/error.hpp"

namespace tv::checkpoint {

/// Appends protocol 2 opcodes; each tensor gets a storage of its own, numbered from 0.
class PickleWriter {
 public:
  PickleWriter();
  void tensor(const TensorView& view);
  void state_dict(const std::vector<std::pair<std::string, TensorView>>& entries,
                  const std::map<std::string, std::int64_t>& versions);
  /// Ends the stream.
  std::string finish();
  /// What record "data/<index>" must hold: row-major bytes of this view.
  const std::vector<TensorView>& storages() const { return storages_; }

 private:
  void global(std::string_view module, std::string_view name);
  void string(std::string_view text);
  void integer(std::int64_t value);
  void real(double value);
  void ordered_dict();
  void storage(const TensorView& view);
  void shape(const Shape& sizes);
  void quantizer(const Quantization& quantization);
  template <typename T>
  void vector(DType dtype, const std::vector<T>& values);

  std::string out_;
  std::vector<TensorView> storages_;
};

}  // namespace tv::checkpoint
