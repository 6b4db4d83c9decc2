#include "model_registry/checkpoint/flatten.hpp"

#include <algorithm>
#include <cmath>

#include "model_registry/checkpoint/bytes.hpp"
#include "model_registry/checkpoint/globals.hpp"
#include "model_registry/checkpoint/rebuild.hpp"

namespace tv::checkpoint {
namespace {

class Flattener {
 public:
  Flattener(const Heap& heap, std::uint64_t file_size, const Place& place, Budget& budget)
      : heap_(heap),
        place_(place),
        budget_(budget),
        reach_left_(file_size * kMaxViewFactor + kMaxViewSlack) {}

  Result<Checkpoint> run(const Value& root, CheckpointFormat format) {
    out_.format = format;
    TV_RETURN_IF_ERROR(add(root, 0));
    TV_RETURN_IF_ERROR(check_duplicates());
    return std::move(out_);
  }

 private:
  Error refuse_entry(std::string_view what, std::string_view hint = kPlainDataHint) const {
    return refuse_named(place_, "entry " + quoted(name_), what, hint);
  }
  Error too_much() const {
    return refuse_entry("reading on would need more than " + std::to_string(kMaxExtraBytes >> 20) +
                        " MiB beyond the file's own size");
  }
  Status charge(std::uint64_t bytes) {
    if (budget_.charge(bytes)) return {};
    return too_much();
  }
  Status visit(int depth) {
    if (depth > kMaxDepth) return refuse_entry("nested deeper than " + std::to_string(kMaxDepth));
    if (++visits_ > kMaxVisits)
      return refuse_entry("more than " + std::to_string(kMaxVisits) + " values");
    return {};
  }

  Status add(const Value& value, int depth);
  Status add_dict(const Dict& dict, int depth);
  Status add_versions(const Dict& metadata);
  Status push_name(std::string_view part);
  Result<bool> holds_dict(const Value& value, int depth);
  Result<CheckpointValue> convert(const Value& value, int depth);
  Result<TensorView> convert_tensor(const TensorRef& ref);
  Result<Quantization> convert_quantizer(const TensorRef& ref, DType dtype, const Shape& sizes);
  template <typename T>
  Result<std::vector<T>> numbers(const Value& values);
  Status check_duplicates();

  const Heap& heap_;
  const Place& place_;
  Budget& budget_;
  std::uint64_t reach_left_;
  std::uint64_t visits_ = 0;
  std::string name_;  // of the entry being made
  Checkpoint out_;
};

Status Flattener::push_name(std::string_view part) {
  if (name_.size() + 1 + part.size() > kMaxName)
    return refuse_entry("its name has more than " + std::to_string(kMaxName) + " bytes");
  if (!name_.empty()) name_ += '.';
  name_ += part;
  return {};
}

// Dicts, and lists that hold dicts, become names; everything else becomes one entry.
Status Flattener::add(const Value& value, int depth) {
  TV_RETURN_IF_ERROR(visit(depth));
  if (value.kind == Kind::kDict) return add_dict(heap_.dicts[value.index], depth);
  if (heap_.is_sequence(value)) {
    TV_ASSIGN_OR_RETURN(const bool nested, holds_dict(value, depth));
    if (nested) {
      const std::size_t length = name_.size();
      for (std::size_t i = 0; i < heap_.size(value); ++i) {
        TV_RETURN_IF_ERROR(push_name(std::to_string(i)));
        TV_RETURN_IF_ERROR(add(heap_.item(value, i), depth + 1));
        name_.resize(length);
      }
      return {};
    }
  }
  TV_ASSIGN_OR_RETURN(CheckpointValue converted, convert(value, depth));
  TV_RETURN_IF_ERROR(charge(name_.size()));
  if (!charge_growth(out_.entries, budget_)) return too_much();
  out_.entries.emplace_back(name_, std::move(converted));
  return {};
}

Status Flattener::add_dict(const Dict& dict, int depth) {
  if (dict.metadata.kind == Kind::kDict)
    TV_RETURN_IF_ERROR(add_versions(heap_.dicts[dict.metadata.index]));
  const std::size_t length = name_.size();
  for (const auto& [key, value] : dict.items) {
    if (key.kind == Kind::kString)
      TV_RETURN_IF_ERROR(push_name(key.string()));
    else
      TV_RETURN_IF_ERROR(push_name(std::to_string(key.integer)));
    TV_RETURN_IF_ERROR(add(value, depth + 1));
    name_.resize(length);
  }
  return {};
}

// _metadata: module path -> {"version": n, ...}. Below a nested dict the path is prefixed as the
// entries are.
Status Flattener::add_versions(const Dict& metadata) {
  constexpr std::uint64_t kNode = 96;  // of the map
  const std::size_t length = name_.size();
  for (const auto& [path, state] : metadata.items) {
    TV_RETURN_IF_ERROR(visit(0));
    if (path.kind != Kind::kString || state.kind != Kind::kDict)
      return refuse_entry("_metadata is no dict of dicts");
    for (const auto& [key, value] : heap_.dicts[state.index].items) {
      TV_RETURN_IF_ERROR(visit(0));
      if (key.kind != Kind::kString || key.string() != "version" || value.kind != Kind::kInt)
        continue;
      if (path.length > 0) TV_RETURN_IF_ERROR(push_name(path.string()));
      TV_RETURN_IF_ERROR(charge(name_.size() + kNode));
      out_.versions[name_] = value.integer;
      name_.resize(length);
    }
  }
  return {};
}

Result<bool> Flattener::holds_dict(const Value& value, int depth) {
  TV_RETURN_IF_ERROR(visit(depth));
  if (value.kind == Kind::kDict) return true;
  if (!heap_.is_sequence(value)) return false;
  for (std::size_t i = 0; i < heap_.size(value); ++i) {
    TV_ASSIGN_OR_RETURN(const bool found, holds_dict(heap_.item(value, i), depth + 1));
    if (found) return true;
  }
  return false;
}

Result<CheckpointValue> Flattener::convert(const Value& value, int depth) {
  TV_RETURN_IF_ERROR(visit(depth));
  switch (value.kind) {
    case Kind::kNone:
    case Kind::kObject:
      return CheckpointValue{};
    case Kind::kBool:
      return CheckpointValue{value.integer != 0};
    case Kind::kInt:
      return CheckpointValue{value.integer};
    case Kind::kFloat:
      return CheckpointValue{value.real};
    case Kind::kString:
      TV_RETURN_IF_ERROR(charge(value.length));
      return CheckpointValue{std::string(value.string())};
    case Kind::kGlobal: {
      const GlobalRow& row = allowed_globals()[value.index];
      if (row.id != GlobalId::kDType) return refuse_entry("refused a function or class as a value");
      return CheckpointValue{std::string(row.name)};
    }
    case Kind::kTensor: {
      TV_ASSIGN_OR_RETURN(TensorView view, convert_tensor(heap_.tensors[value.index]));
      return CheckpointValue{std::move(view)};
    }
    case Kind::kTuple:
    case Kind::kList: {
      const std::size_t count = heap_.size(value);
      TV_RETURN_IF_ERROR(charge(count * sizeof(CheckpointValue)));
      CheckpointList list;
      list.reserve(count);
      for (std::size_t i = 0; i < count; ++i) {
        TV_ASSIGN_OR_RETURN(CheckpointValue item, convert(heap_.item(value, i), depth + 1));
        list.push_back(std::move(item));
      }
      return CheckpointValue{std::move(list)};
    }
    default:
      break;
  }
  return refuse_entry("refused " + std::string(kind_text(value.kind)) + " as a value");
}

Result<TensorView> Flattener::convert_tensor(const TensorRef& ref) {
  const Storage& storage = heap_.storages[ref.storage];
  const Blob& blob = heap_.blobs[storage.blob];
  const std::size_t rank = heap_.size(ref.sizes);
  TV_RETURN_IF_ERROR(charge(2 * (rank * sizeof(std::int64_t) + 16)));
  TensorView view;
  view.dtype = blob.dtype;
  view.sizes.reserve(rank);
  view.strides.reserve(rank);
  for (std::size_t d = 0; d < rank; ++d) {
    view.sizes.push_back(heap_.item(ref.sizes, d).integer);
    view.strides.push_back(heap_.item(ref.strides, d).integer);
  }
  const std::size_t item = dtype_size(blob.dtype);
  view.data = blob.data + static_cast<std::size_t>(storage.offset + ref.offset) * item;
  view.storage = blob.owner;
  const std::uint64_t reach = static_cast<std::uint64_t>(view.numel()) * item;
  if (reach > reach_left_)
    return refuse(place_, ref.at,
                  "the tensors together expand to more than " + std::to_string(kMaxViewFactor) +
                      " times the file's size",
                  "save contiguous copies: tensor.contiguous()");
  reach_left_ -= reach;
  if (ref.quantizer.kind != Kind::kNone) {
    TV_ASSIGN_OR_RETURN(view.quantization, convert_quantizer(ref, blob.dtype, view.sizes));
  }
  return view;
}

Result<Quantization> Flattener::convert_quantizer(const TensorRef& ref, DType dtype,
                                                  const Shape& sizes) {
  const Value& quantizer = ref.quantizer;
  Quantization quantization;
  if (quantizer.length == 3) {  // per tensor, checked when it was made
    TV_RETURN_IF_ERROR(charge(64));
    quantization.scales.push_back(heap_.item(quantizer, 1).real);
    quantization.zero_points.push_back(heap_.item(quantizer, 2).integer);
    return quantization;
  }
  quantization.axis = heap_.item(quantizer, 3).integer;
  const auto channels =
      static_cast<std::uint64_t>(sizes[static_cast<std::size_t>(quantization.axis)]);
  if (channels > kMaxVisits) return refuse(place_, ref.at, "a quantiser of too many channels");
  TV_RETURN_IF_ERROR(charge(channels * 16 + 64));
  TV_ASSIGN_OR_RETURN(quantization.scales, numbers<double>(heap_.item(quantizer, 1)));
  TV_ASSIGN_OR_RETURN(quantization.zero_points, numbers<std::int64_t>(heap_.item(quantizer, 2)));
  // The lists were checked when the tensor was made, but a list can have grown since.
  if (quantization.scales.size() != channels || quantization.zero_points.size() != channels)
    return refuse(place_, ref.at, "a quantiser's scales or zero points are not one a channel");
  for (const double scale : quantization.scales)
    if (!std::isfinite(scale) || scale <= 0)
      return refuse(place_, ref.at, "a quantiser's scale is not a positive finite number");
  for (const std::int64_t zero_point : quantization.zero_points)
    if (!zero_point_fits(dtype, zero_point))
      return refuse(place_, ref.at,
                    "a quantiser's zero point is no value of " + std::string(dtype_name(dtype)));
  return quantization;
}

// A list of numbers, or a tensor of one dimension. T is double or int64; no float is read as an
// integer.
template <typename T>
Result<std::vector<T>> Flattener::numbers(const Value& values) {
  constexpr bool kReal = std::is_same_v<T, double>;
  std::vector<T> out;
  if (values.kind != Kind::kTensor) {
    if (heap_.size(values) > kMaxVisits) return refuse_entry("a quantiser of too many channels");
    out.reserve(heap_.size(values));
    for (std::size_t i = 0; i < heap_.size(values); ++i) {
      const Value& value = heap_.item(values, i);
      if (kReal && value.kind == Kind::kFloat)
        out.push_back(static_cast<T>(value.real));
      else if (value.kind == Kind::kInt)
        out.push_back(static_cast<T>(value.integer));
      else
        return refuse_entry("a quantiser's number is " + std::string(kind_text(value.kind)));
    }
    return out;
  }
  const TensorRef& ref = heap_.tensors[values.index];
  const Storage& storage = heap_.storages[ref.storage];
  const Blob& blob = heap_.blobs[storage.blob];
  const std::int64_t count = heap_.item(ref.sizes, 0).integer;
  const std::int64_t stride = heap_.item(ref.strides, 0).integer;
  const std::size_t item = dtype_size(blob.dtype);
  const std::byte* data = blob.data + static_cast<std::size_t>(storage.offset + ref.offset) * item;
  out.reserve(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    const std::byte* at = data + static_cast<std::size_t>(i * stride) * item;
    if (kReal && blob.dtype == DType::kFloat64)
      out.push_back(static_cast<T>(load_le<double>(at)));
    else if (kReal && blob.dtype == DType::kFloat32)
      out.push_back(static_cast<T>(load_le<float>(at)));
    else if (!kReal && blob.dtype == DType::kInt64)
      out.push_back(static_cast<T>(load_le<std::int64_t>(at)));
    else if (!kReal && blob.dtype == DType::kInt32)
      out.push_back(static_cast<T>(load_le<std::int32_t>(at)));
    else
      return refuse(place_, ref.at,
                    "a quantiser's numbers are a tensor of " + std::string(dtype_name(blob.dtype)));
  }
  return out;
}

Status Flattener::check_duplicates() {
  TV_RETURN_IF_ERROR(charge(out_.entries.size() * sizeof(std::string_view)));
  std::vector<std::string_view> names;
  names.reserve(out_.entries.size());
  for (const auto& entry : out_.entries) names.push_back(entry.first);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice == names.end()) return {};
  name_ = *twice;
  return refuse_entry("the name occurs twice", kDamagedHint);
}

}  // namespace

Result<Checkpoint> flatten(const Heap& heap, const Value& root, CheckpointFormat format,
                           std::uint64_t file_size, const Place& place, Budget& budget) {
  return Flattener(heap, file_size, place, budget).run(root, format);
}

}  // namespace tv::checkpoint
