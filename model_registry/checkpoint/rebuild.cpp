#include "model_registry/checkpoint/rebuild.hpp"

#include <cmath>
#include <limits>

#include "model_registry/checkpoint/bytes.hpp"
#include "model_registry/checkpoint/globals.hpp"

namespace tv::checkpoint {
namespace {

bool is_quantized(DType dtype) {
  return dtype == DType::kQInt8 || dtype == DType::kQUInt8 || dtype == DType::kQInt32;
}

std::string count_text(std::string_view what, std::size_t found, std::string_view expected) {
  return std::string(what) + " with " + std::to_string(found) + " arguments, expected " +
         std::string(expected);
}

}  // namespace

bool zero_point_fits(DType dtype, std::int64_t zero_point) {
  if (dtype == DType::kQInt8) return zero_point >= -128 && zero_point <= 127;
  if (dtype == DType::kQUInt8) return zero_point >= 0 && zero_point <= 255;
  return zero_point >= std::numeric_limits<std::int32_t>::min() &&
         zero_point <= std::numeric_limits<std::int32_t>::max();
}

Result<Value> TensorMaker::make(const Value& callable, const Value& args, std::uint64_t at) {
  const GlobalRow& global = allowed_globals()[callable.index];
  switch (global.id) {
    case GlobalId::kOrderedDict:
      return make_ordered_dict(args, at);
    case GlobalId::kRebuildTensor:
    case GlobalId::kRebuildTensorV2:
      return make_tensor(args, false, at);
    case GlobalId::kRebuildQTensor:
      return make_tensor(args, true, at);
    case GlobalId::kRebuildParameter:
      return make_parameter(args, 3, at);
    case GlobalId::kParameter:
      return make_parameter(args, 2, at);
    case GlobalId::kSize:
      return make_size(args, at);
    case GlobalId::kNamespace:
      return make_namespace(args, at);
    default:
      break;
  }
  return refuse(
      place_, at,
      "refused a call of " + quoted(std::string(global.module) + "." + std::string(global.name)),
      kPlainDataHint);
}

// OrderedDict() as Python 3 writes it, OrderedDict([[key, value], ...]) as Python 2 did.
Result<Value> TensorMaker::make_ordered_dict(const Value& args, std::uint64_t at) {
  if (args.length > 1) return refuse(place_, at, count_text("OrderedDict", args.length, "0 or 1"));
  if (!budget_.charge(sizeof(Dict))) return over_budget(place_, at);
  Dict dict;
  dict.ordered = true;
  if (args.length == 1) {
    const Value& pairs = heap_.item(args, 0);
    if (!heap_.is_sequence(pairs))
      return refuse(
          place_, at,
          "OrderedDict of " + std::string(kind_text(pairs.kind)) + ", expected a list of pairs");
    for (std::size_t i = 0; i < heap_.size(pairs); ++i) {
      const Value& pair = heap_.item(pairs, i);
      if (!heap_.is_sequence(pair) || heap_.size(pair) != 2)
        return refuse(place_, at,
                      "OrderedDict of a list whose element " + std::to_string(i) + " is no pair");
      const Value& key = heap_.item(pair, 0);
      if (key.kind != Kind::kString && key.kind != Kind::kInt)
        return refuse(place_, at,
                      "a dict key is " + std::string(kind_text(key.kind)) +
                          ", expected a string or an integer",
                      kPlainDataHint);
      if (!charge_growth(dict.items, budget_)) return over_budget(place_, at);
      dict.items.emplace_back(key, heap_.item(pair, 1));
    }
  }
  heap_.dicts.push_back(std::move(dict));
  return Value::of_object(Kind::kDict, heap_.dicts.size() - 1);
}

Result<Value> TensorMaker::make_size(const Value& args, std::uint64_t at) {
  if (args.length != 1) return refuse(place_, at, count_text("torch.Size", args.length, "1"));
  const Value sizes = heap_.item(args, 0);
  if (sizes.kind != Kind::kTuple || sizes.length > kMaxDims)
    return refuse(place_, at, "torch.Size of something that is no short tuple");
  for (std::size_t i = 0; i < heap_.size(sizes); ++i)
    if (heap_.item(sizes, i).kind != Kind::kInt)
      return refuse(place_, at, "torch.Size of something but integers");
  return sizes;
}

// The arguments of a training script lie beside its weights. Its attributes come by BUILD, and are
// dropped there.
Result<Value> TensorMaker::make_namespace(const Value& args, std::uint64_t at) const {
  if (args.length != 0)
    return refuse(place_, at, count_text("argparse.Namespace", args.length, "0"));
  return Value::of_object(Kind::kObject, 0);
}

// torch._utils._rebuild_parameter(tensor, requires_grad, hooks), torch.nn.Parameter(tensor[,
// requires_grad])
Result<Value> TensorMaker::make_parameter(const Value& args, std::size_t max_args,
                                          std::uint64_t at) {
  if (args.length < 1 || args.length > max_args || (max_args == 3 && args.length != 3))
    return refuse(place_, at, count_text("a parameter", args.length, std::to_string(max_args)));
  const Value tensor = heap_.item(args, 0);
  if (tensor.kind != Kind::kTensor)
    return refuse(place_, at,
                  "a parameter of " + std::string(kind_text(tensor.kind)) + ", expected a tensor");
  if (args.length > 1 && heap_.item(args, 1).kind != Kind::kBool)
    return refuse(place_, at, "a parameter whose requires_grad is no bool");
  if (args.length > 2) TV_RETURN_IF_ERROR(check_hooks(heap_.item(args, 2), at));
  return tensor;
}

Status TensorMaker::check_hooks(const Value& hooks, std::uint64_t at) const {
  if (hooks.kind == Kind::kNone ||
      (hooks.kind == Kind::kDict && heap_.dicts[hooks.index].items.empty()))
    return {};
  return refuse(place_, at, "refused a tensor with backward hooks", kPlainDataHint);
}

// _rebuild_tensor(storage, offset, size, stride), _rebuild_tensor_v2(..., requires_grad, hooks[,
// metadata]), _rebuild_qtensor(storage, offset, size, stride, quantizer, requires_grad, hooks)
Result<Value> TensorMaker::make_tensor(const Value& args, bool quantized, std::uint64_t at) {
  const std::size_t count = args.length;
  const bool known = quantized ? count == 7 : count == 4 || count == 6 || count == 7;
  if (!known)
    return refuse(place_, at, count_text("a tensor", count, quantized ? "7" : "4, 6 or 7"));
  const Value& storage_value = heap_.item(args, 0);
  if (storage_value.kind != Kind::kStorage)
    return refuse(
        place_, at,
        "a tensor of " + std::string(kind_text(storage_value.kind)) + ", expected a storage");
  const Storage& storage = heap_.storages[storage_value.index];
  const DType dtype = heap_.blobs[storage.blob].dtype;
  if (is_quantized(dtype) != quantized)
    return refuse(place_, at,
                  std::string(quantized ? "a quantised" : "a plain") +
                      " tensor over a storage of " + std::string(dtype_name(dtype)));
  TensorRef tensor;
  tensor.storage = storage_value.index;
  tensor.at = at;
  const Value& offset = heap_.item(args, 1);
  if (offset.kind != Kind::kInt || offset.integer < 0)
    return refuse(place_, at, "a tensor's storage offset is no non-negative integer");
  tensor.offset = offset.integer;
  tensor.sizes = heap_.item(args, 2);
  tensor.strides = heap_.item(args, 3);
  TV_RETURN_IF_ERROR(check_view(storage, tensor, at));
  if (quantized) {
    tensor.quantizer = heap_.item(args, 4);
    TV_RETURN_IF_ERROR(check_quantizer(tensor, dtype, at));
  }
  if (count > 4) {
    const std::size_t grad = quantized ? 5 : 4;
    if (heap_.item(args, grad).kind != Kind::kBool)
      return refuse(place_, at, "a tensor's requires_grad is no bool");
    TV_RETURN_IF_ERROR(check_hooks(heap_.item(args, grad + 1), at));
  }
  // Metadata would ask for a conjugated or negated view: same bytes, other values.
  if (!quantized && count == 7) {
    const Value& metadata = heap_.item(args, 6);
    const bool empty = metadata.kind == Kind::kNone ||
                       (metadata.kind == Kind::kDict && heap_.dicts[metadata.index].items.empty());
    if (!empty) return refuse(place_, at, "refused a tensor with metadata", kPlainDataHint);
  }
  if (!budget_.charge(sizeof(TensorRef))) return over_budget(place_, at);
  heap_.tensors.push_back(tensor);
  return Value::of_object(Kind::kTensor, heap_.tensors.size() - 1);
}

Status TensorMaker::check_view(const Storage& storage, const TensorRef& tensor,
                               std::uint64_t at) const {
  const Value& sizes = tensor.sizes;
  const Value& strides = tensor.strides;
  // Tuples: a list could still grow after it was checked.
  if (sizes.kind != Kind::kTuple || strides.kind != Kind::kTuple || sizes.length != strides.length)
    return refuse(place_, at, "a tensor's sizes and strides are no tuples of one length");
  if (heap_.size(sizes) > kMaxDims)
    return refuse(place_, at, "a tensor of " + std::to_string(heap_.size(sizes)) + " dimensions");
  std::int64_t nonzero_numel = 1;
  std::int64_t last = tensor.offset;
  bool empty = false;
  for (std::size_t d = 0; d < heap_.size(sizes); ++d) {
    const Value& size = heap_.item(sizes, d);
    const Value& stride = heap_.item(strides, d);
    if (size.kind != Kind::kInt || size.integer < 0)
      return refuse(place_, at,
                    "size " + std::to_string(d) + " of a tensor is no non-negative integer");
    if (stride.kind != Kind::kInt || stride.integer < 0)
      return refuse(place_, at,
                    "stride " + std::to_string(d) + " of a tensor is no non-negative integer");
    if (size.integer == 0) {
      empty = true;
      continue;
    }
    std::int64_t reach = 0;
    if (!checked_multiply(nonzero_numel, size.integer, &nonzero_numel) ||
        !checked_multiply(size.integer - 1, stride.integer, &reach) ||
        !checked_add(last, reach, &last))
      return refuse(place_, at, "a tensor's sizes and strides overflow");
  }
  // No byte count made of these may leave int64 either.
  constexpr std::int64_t kMaxNumel = std::numeric_limits<std::int64_t>::max() / 16;
  if (nonzero_numel > kMaxNumel) return refuse(place_, at, "a tensor's sizes and strides overflow");
  const bool inside = empty ? tensor.offset <= storage.numel : last < storage.numel;
  if (!inside)
    return refuse(place_, at,
                  "a tensor reaches element " + std::to_string(empty ? tensor.offset : last) +
                      " of a storage of " + std::to_string(storage.numel));
  return {};
}

Status TensorMaker::check_quantizer(const TensorRef& tensor, DType dtype, std::uint64_t at) const {
  const Value& quantizer = tensor.quantizer;
  if (quantizer.kind != Kind::kTuple || quantizer.length < 1 ||
      heap_.item(quantizer, 0).kind != Kind::kGlobal)
    return refuse(place_, at, "a quantised tensor without a quantiser");
  switch (allowed_globals()[heap_.item(quantizer, 0).index].id) {
    case GlobalId::kPerTensorAffine:
      return check_per_tensor(quantizer, dtype, at);
    case GlobalId::kPerChannelAffine:
      return check_per_channel(tensor, at);
    default:
      return refuse(place_, at, "a quantised tensor with an unknown scheme");
  }
}

Status TensorMaker::check_per_tensor(const Value& quantizer, DType dtype, std::uint64_t at) const {
  if (quantizer.length != 3 || heap_.item(quantizer, 1).kind != Kind::kFloat ||
      heap_.item(quantizer, 2).kind != Kind::kInt)
    return refuse(place_, at, "per_tensor_affine without a float scale and an integer zero point");
  const double scale = heap_.item(quantizer, 1).real;
  if (!std::isfinite(scale) || scale <= 0)
    return refuse(place_, at, "a quantiser's scale is not a positive finite number");
  if (!zero_point_fits(dtype, heap_.item(quantizer, 2).integer))
    return refuse(place_, at,
                  "a quantiser's zero point is no value of " + std::string(dtype_name(dtype)));
  return {};
}

// Only the form: scales and zero points may be tensors whose bytes the legacy format has not told
// yet.
Status TensorMaker::check_per_channel(const TensorRef& tensor, std::uint64_t at) const {
  const Value& quantizer = tensor.quantizer;
  if (quantizer.length != 4 || heap_.item(quantizer, 3).kind != Kind::kInt)
    return refuse(place_, at, "per_channel_affine without scales, zero points and an axis");
  const std::int64_t axis = heap_.item(quantizer, 3).integer;
  if (axis < 0 || axis >= static_cast<std::int64_t>(heap_.size(tensor.sizes)))
    return refuse(place_, at,
                  "a quantiser's axis " + std::to_string(axis) + " is no dimension of the tensor");
  const std::int64_t channels = heap_.item(tensor.sizes, static_cast<std::size_t>(axis)).integer;
  for (std::size_t i = 1; i <= 2; ++i) {
    const Value& values = heap_.item(quantizer, i);
    std::int64_t count = -1;
    if (heap_.is_sequence(values)) {
      count = static_cast<std::int64_t>(heap_.size(values));
    } else if (values.kind == Kind::kTensor) {
      const TensorRef& t = heap_.tensors[values.index];
      if (heap_.size(t.sizes) == 1 && t.quantizer.kind == Kind::kNone)
        count = heap_.item(t.sizes, 0).integer;
    }
    if (count != channels)
      return refuse(place_, at,
                    std::string(i == 1 ? "a quantiser's scales" : "a quantiser's zero points") +
                        " are no list or tensor of " + std::to_string(channels) + " numbers");
  }
  return {};
}

Status TensorMaker::set_state(const Value& target, const Value& state, std::uint64_t at) {
  const bool ordered = target.kind == Kind::kDict && heap_.dicts[target.index].ordered;
  if (!ordered && target.kind != Kind::kObject)
    return refuse(
        place_, at,
        "refused BUILD on " + std::string(kind_text(target.kind)) + ", expected an ordered dict",
        kPlainDataHint);
  if (state.kind != Kind::kDict)
    return refuse(place_, at,
                  "BUILD with " + std::string(kind_text(state.kind)) + ", expected a dict");
  if (!ordered) return {};
  constexpr std::size_t kMaxAttributes =
      16;  // one dict can be named by many BUILDs: keep each of them short
  if (heap_.dicts[state.index].items.size() > kMaxAttributes)
    return refuse(place_, at,
                  "BUILD with more than " + std::to_string(kMaxAttributes) + " attributes");
  // Attributes of the dict object. Only one means anything here; the others are not looked at.
  for (const auto& [key, value] : heap_.dicts[state.index].items) {
    if (key.kind != Kind::kString || key.string() != "_metadata") continue;
    if (value.kind != Kind::kDict)
      return refuse(place_, at,
                    "_metadata is " + std::string(kind_text(value.kind)) + ", expected a dict");
    heap_.dicts[target.index].metadata = value;
  }
  return {};
}

// ('storage', class, key, location, numel), in the legacy format with a sixth element: None or
// (key, offset, numel). The location ("cpu", "cuda:0") is not looked at: everything is read to the
// CPU.
Result<TensorMaker::StorageId> TensorMaker::parse_storage_id(const Value& id,
                                                             std::uint64_t at) const {
  if (id.kind != Kind::kTuple || id.length < 1 || heap_.item(id, 0).kind != Kind::kString)
    return refuse(place_, at, "a persistent id is no tuple that begins with a string",
                  kPlainDataHint);
  const std::string_view type = heap_.item(id, 0).string();
  if (type != "storage")
    return refuse(place_, at, "refused persistent id " + quoted(type),
                  type == "module" ? kSavedModuleHint : kPlainDataHint);
  if (id.length != 5 && id.length != 6)
    return refuse(place_, at, count_text("a storage", id.length, "5 or 6"));
  const Value& type_value = heap_.item(id, 1);
  const bool typed = type_value.kind == Kind::kGlobal &&
                     allowed_globals()[type_value.index].id == GlobalId::kStorageType;
  const Value& key = heap_.item(id, 2);
  const Value& location = heap_.item(id, 3);
  const Value& numel = heap_.item(id, 4);
  if (!typed) return refuse(place_, at, "a storage without a storage class");
  if (key.kind != Kind::kString || key.length == 0 || key.length > kMaxStorageKey)
    return refuse(
        place_, at,
        "a storage's key is no string of 1 to " + std::to_string(kMaxStorageKey) + " bytes");
  if (location.kind != Kind::kString)
    return refuse(place_, at, "a storage's location is no string");
  if (numel.kind != Kind::kInt || numel.integer < 0)
    return refuse(place_, at, "a storage's element count is no non-negative integer");
  const Value* view = id.length == 6 ? &heap_.item(id, 5) : nullptr;
  return StorageId{allowed_globals()[type_value.index].dtype, key.string(), numel.integer, view};
}

Result<std::size_t> TensorMaker::find_or_add_blob(const StorageId& id, std::uint64_t at) {
  if (const auto found = heap_.blob_by_key.find(id.key); found != heap_.blob_by_key.end()) {
    const Blob& blob = heap_.blobs[found->second];
    if (blob.dtype != id.dtype || blob.numel != id.numel)
      return refuse(place_, at,
                    "storage " + quoted(id.key) +
                        " is described twice: " + std::to_string(blob.numel) + " x " +
                        std::string(dtype_name(blob.dtype)) + " and " + std::to_string(id.numel) +
                        " x " + std::string(dtype_name(id.dtype)));
    return found->second;
  }
  constexpr std::uint64_t kNode = 96;  // of the map
  if (!budget_.charge(sizeof(Blob) + kNode)) return over_budget(place_, at);
  Blob blob;
  blob.key = id.key;
  blob.dtype = id.dtype;
  blob.numel = id.numel;
  TV_RETURN_IF_ERROR(find_blob_(blob, at));
  heap_.blobs.push_back(std::move(blob));
  heap_.blob_by_key.emplace(id.key, heap_.blobs.size() - 1);
  return heap_.blobs.size() - 1;
}

Result<Storage> TensorMaker::view_of_blob(std::size_t blob, const StorageId& id, std::uint64_t at) {
  const Storage whole{blob, 0, id.numel};
  if (id.view == nullptr || id.view->kind == Kind::kNone) return whole;
  const Value& view = *id.view;
  if (view.kind != Kind::kTuple || view.length != 3 || heap_.item(view, 0).kind != Kind::kString ||
      heap_.item(view, 1).kind != Kind::kInt || heap_.item(view, 2).kind != Kind::kInt)
    return refuse(place_, at, "a storage's view is no (key, offset, numel)");
  const std::int64_t offset = heap_.item(view, 1).integer;
  const std::int64_t numel = heap_.item(view, 2).integer;
  std::int64_t end = 0;
  if (offset < 0 || numel < 0 || !checked_add(offset, numel, &end) || end > id.numel)
    return refuse(place_, at, "a storage's view lies outside of the storage");
  return Storage{blob, offset, numel};
}

Result<Value> TensorMaker::load(const Value& persistent_id, std::uint64_t at) {
  TV_ASSIGN_OR_RETURN(const StorageId id, parse_storage_id(persistent_id, at));
  TV_ASSIGN_OR_RETURN(const std::size_t blob, find_or_add_blob(id, at));
  TV_ASSIGN_OR_RETURN(const Storage storage, view_of_blob(blob, id, at));
  if (!budget_.charge(sizeof(Storage))) return over_budget(place_, at);
  heap_.storages.push_back(storage);
  return Value::of_object(Kind::kStorage, heap_.storages.size() - 1);
}

}  // namespace tv::checkpoint
