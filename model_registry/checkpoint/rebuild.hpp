// Globals to objects: what REDUCE, NEWOBJ, BUILD and persistent ids mean in a weight file.
#pragma once

#include <cstdint>
#include <functional>

#include "model_registry/checkpoint/pickle.hpp"

namespace tv::checkpoint {

/// Makes ordered dicts, storages, tensors, quantised tensors and parameters. Every tensor that it
/// makes has been proved to lie inside its storage.
class TensorMaker final : public ObjectMaker {
 public:
  /// Called once for each storage key, with key, dtype and numel set: finds data and owner, or
  /// leaves data null for later (legacy format).
  using FindBlob = std::function<Status(Blob& blob, std::uint64_t at)>;

  TensorMaker(Heap& heap, Budget& budget, const Place& place, FindBlob find_blob)
      : heap_(heap), budget_(budget), place_(place), find_blob_(std::move(find_blob)) {}

  Result<Value> make(const Value& callable, const Value& args, std::uint64_t at) override;
  Result<Value> load(const Value& persistent_id, std::uint64_t at) override;
  Status set_state(const Value& target, const Value& state, std::uint64_t at) override;

 private:
  struct StorageId {
    DType dtype;
    std::string_view key;
    std::int64_t numel;
    const Value* view;  ///< the sixth element, or null
  };
  Result<Value> make_ordered_dict(const Value& args, std::uint64_t at);
  Result<Value> make_tensor(const Value& args, bool quantized, std::uint64_t at);
  Result<Value> make_namespace(const Value& args, std::uint64_t at) const;
  Result<Value> make_size(const Value& args, std::uint64_t at);
  Result<Value> make_parameter(const Value& args, std::size_t max_args, std::uint64_t at);
  Status check_view(const Storage& storage, const TensorRef& tensor, std::uint64_t at) const;
  Status check_hooks(const Value& hooks, std::uint64_t at) const;
  Status check_quantizer(const TensorRef& tensor, DType dtype, std::uint64_t at) const;
  Status check_per_tensor(const Value& quantizer, DType dtype, std::uint64_t at) const;
  Status check_per_channel(const TensorRef& tensor, std::uint64_t at) const;
  Result<StorageId> parse_storage_id(const Value& id, std::uint64_t at) const;
  Result<std::size_t> find_or_add_blob(const StorageId& id, std::uint64_t at);
  Result<Storage> view_of_blob(std::size_t blob, const StorageId& id, std::uint64_t at);

  Heap& heap_;
  Budget& budget_;
  const Place& place_;
  FindBlob find_blob_;
};

/// Whether `zero_point` is a value of the quantised dtype.
bool zero_point_fits(DType dtype, std::int64_t zero_point);

}  // namespace tv::checkpoint
