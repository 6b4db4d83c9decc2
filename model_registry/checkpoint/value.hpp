// What the pickle machine works on: small values that refer into a heap of containers. Nothing here
// owns foreign code.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "model_registry/checkpoint/tensor.hpp"

namespace tv::checkpoint {

enum class Kind : std::uint8_t {
  kNone,
  kBool,
  kInt,
  kFloat,
  kString,
  kTuple,
  kList,
  kDict,
  kGlobal,
  kStorage,
  kTensor,
  kObject,  ///< one whose contents nobody needs; it has none
};

/// For messages: "a dict".
std::string_view kind_text(Kind kind);

/// 16 bytes. Strings point into the file; containers are positions in the Heap.
struct Value {
  Kind kind = Kind::kNone;
  std::uint32_t length = 0;  ///< strings: bytes; tuples: elements
  union {
    std::int64_t integer = 0;  ///< kInt, kBool
    double real;               ///< kFloat
    const char* text;          ///< kString
    std::uint64_t
        index;  ///< kTuple: first element in Heap::tuples; others: position in their table
  };

  static Value none() { return {}; }
  static Value of_bool(bool b) { return of_integer(b ? 1 : 0, Kind::kBool); }
  static Value of_integer(std::int64_t i, Kind k = Kind::kInt) {
    Value v;
    v.kind = k;
    v.integer = i;
    return v;
  }
  static Value of_real(double d) {
    Value v;
    v.kind = Kind::kFloat;
    v.real = d;
    return v;
  }
  static Value of_string(std::string_view s) {
    Value v;
    v.kind = Kind::kString;
    v.length = static_cast<std::uint32_t>(s.size());
    v.text = s.data();
    return v;
  }
  static Value of_object(Kind k, std::uint64_t index, std::uint32_t length = 0) {
    Value v;
    v.kind = k;
    v.length = length;
    v.index = index;
    return v;
  }
  std::string_view string() const { return {text, length}; }
};
static_assert(sizeof(Value) == 16);

struct Dict {
  std::vector<std::pair<Value, Value>> items;  ///< keys are strings or integers
  bool ordered = false;  ///< a collections.OrderedDict: the only thing that BUILD accepts
  Value metadata;        ///< its `_metadata` attribute: a dict, or none
};

/// The bytes of one storage as the file has them. The legacy format knows `data` only after the
/// object was read.
struct Blob {
  std::string_view key;
  DType dtype = DType::kFloat32;
  std::int64_t numel = 0;
  const std::byte* data = nullptr;
  std::shared_ptr<const void> owner;
};

/// A storage as tensors see it: `numel` elements of a blob from `offset` on (a part only in old
/// legacy files).
struct Storage {
  std::size_t blob = 0;
  std::int64_t offset = 0;
  std::int64_t numel = 0;
};

/// A tensor whose sizes, strides and offset were proved to lie inside its storage.
struct TensorRef {
  std::size_t storage = 0;
  std::int64_t offset = 0;  ///< elements from the storage's start
  Value sizes, strides;     ///< tuples of non-negative integers, equally long
  Value quantizer;          ///< none, or the tuple that _rebuild_qtensor was given
  std::uint64_t at = 0;     ///< offset in the pickle, for messages
};

/// Deques: they grow without a copy, so what is charged is what is used.
struct Heap {
  std::deque<Value> tuples;  ///< elements of all tuples, one after the other
  std::deque<std::vector<Value>> lists;
  std::deque<Dict> dicts;
  std::deque<Blob> blobs;
  std::map<std::string_view, std::size_t> blob_by_key;
  std::deque<Storage> storages;
  std::deque<TensorRef> tensors;

  bool is_sequence(const Value& v) const { return v.kind == Kind::kTuple || v.kind == Kind::kList; }
  std::size_t size(const Value& sequence) const {
    return sequence.kind == Kind::kTuple ? sequence.length : lists[sequence.index].size();
  }
  const Value& item(const Value& sequence, std::size_t i) const {
    return sequence.kind == Kind::kTuple ? tuples[sequence.index + i] : lists[sequence.index][i];
  }
};

}  // namespace tv::checkpoint
