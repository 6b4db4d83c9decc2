#include "model_registry/graph/bind.hpp"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "model_registry/graph/packed_parameters.hpp"

namespace tv::graph {
namespace {

// What wraps a network, and the key of its state dict in the file of a training script.
constexpr std::string_view kPrefixes[] = {"module.", "model.", "state_dict.", "model_state_dict."};
constexpr std::string_view kKeys[] = {"model.", "state_dict.", "model_state_dict."};
constexpr std::size_t kListed = 5;

using Index = std::map<std::string_view, const Parameter*>;

Index index_of(const Network& network) {
  Index index;
  for (const auto* const list : {&network.parameters(), &network.removed()})
    for (const Parameter& parameter : *list) index.emplace(parameter.name, &parameter);
  return index;
}

// Of the entries that begin with `outer`, how many go on with `inner`: none, some, all.
enum class Share : std::uint8_t { kNone, kSome, kAll };
Share share_of(const Checkpoint& checkpoint, std::string_view outer, std::string_view inner) {
  std::size_t all = 0, found = 0;
  for (const auto& [full_name, value] : checkpoint.entries) {
    const std::string_view name = full_name;
    if (!name.starts_with(outer)) continue;
    ++all;
    if (name.substr(outer.size()).starts_with(inner)) ++found;
  }
  if (found == 0) return Share::kNone;
  return found == all ? Share::kAll : Share::kSome;
}

bool any_known(const Checkpoint& checkpoint, std::string_view prefix, const Index& index) {
  return std::any_of(checkpoint.entries.begin(), checkpoint.entries.end(), [&](const auto& entry) {
    const std::string_view name = entry.first;
    return name.starts_with(prefix) && index.contains(name.substr(prefix.size()));
  });
}

// The characters that come before every name of the network: wrappers, within the key under which a
// training script keeps the network beside other things.
std::string wrapper_of(const Checkpoint& checkpoint, const Index& index) {
  std::string prefix;
  while (!any_known(checkpoint, prefix, index)) {
    const auto is = [&](Share share) {
      return [&checkpoint, &prefix, share](std::string_view next) {
        return share_of(checkpoint, prefix, next) == share;
      };
    };
    const auto* next = std::ranges::find_if(kPrefixes, is(Share::kAll));
    if (next == std::end(kPrefixes)) {
      if (!prefix.empty()) return prefix;
      next = std::ranges::find_if(kKeys, is(Share::kSome));
      if (next == std::end(kKeys)) return prefix;
    }
    prefix += *next;
  }
  return prefix;
}

bool fits(DType found, DType expected) {
  switch (found) {
    case DType::kFloat32:
    case DType::kFloat64:
    case DType::kFloat16:
    case DType::kBFloat16:
      return expected == DType::kFloat32;
    case DType::kInt64:
    case DType::kInt32:
    case DType::kInt16:
    case DType::kInt8:
    case DType::kUInt8:
      return expected == DType::kInt64;
    default:
      return found == expected;
  }
}

struct Comparison {
  const Network* network = nullptr;
  Misfit misfit;
  std::map<std::string_view, const TensorView*> tensors;
};

// A number may come with a dimension, as load_state_dict() has it.
bool same_shape(const Shape& found, const Shape& expected) {
  return found == expected || (expected.empty() && found == Shape{1});
}

// Every mis-shaped tensor differs in its number of classes alone: the file is this architecture for
// other classes.
void look_at_head(const Parameter& parameter, const TensorView& tensor, int num_classes,
                  bool& only_head, Misfit& misfit) {
  const bool head =
      !parameter.shape.empty() && parameter.shape[0] == num_classes &&
      tensor.sizes.size() == parameter.shape.size() && tensor.sizes[0] > 0 &&
      std::equal(tensor.sizes.begin() + 1, tensor.sizes.end(), parameter.shape.begin() + 1);
  const auto classes = head ? static_cast<int>(tensor.sizes[0]) : 0;
  if (!head || (misfit.other_num_classes != 0 && misfit.other_num_classes != classes))
    only_head = false;
  misfit.other_num_classes = classes;
  if (misfit.head.empty()) misfit.head = parameter.name;
}

Comparison compare_all(const Checkpoint& checkpoint, const Network& network) {
  const Index index = index_of(network);
  const std::string prefix = wrapper_of(checkpoint, index);
  Comparison result{.network = &network, .misfit = {}, .tensors = {}};
  Misfit& misfit = result.misfit;
  bool only_head = true;
  const NamedValues entries =
      network.int8() ? unpacked_entries(checkpoint) : plain_entries(checkpoint);
  for (const auto& [full_name, value] : entries) {
    if (!full_name.starts_with(prefix)) continue;  // the optimizer's state, and the like
    const std::string_view name = std::string_view(full_name).substr(prefix.size());
    auto found = index.find(name);
    if (found == index.end()) found = index.find(network.current_name(name));
    if (found == index.end() || result.tensors.contains(found->second->name)) {
      misfit.unexpected.emplace_back(full_name);
      continue;
    }
    const TensorView* tensor = value->tensor();
    const Parameter& parameter = *found->second;
    if (!tensor || !fits(tensor->dtype, parameter.dtype)) {
      misfit.types.push_back(std::string(name) + " " +
                             (tensor ? std::string(dtype_name(tensor->dtype)) : "is no tensor") +
                             ", expected " + std::string(dtype_name(parameter.dtype)));
    } else if (!same_shape(tensor->sizes, parameter.shape)) {
      misfit.shapes.push_back(std::string(name) + " " + shape_text(tensor->sizes) + ", expected " +
                              shape_text(parameter.shape));
      look_at_head(parameter, *tensor, network.num_classes(), only_head, misfit);
    }
    result.tensors[parameter.name] = tensor;
  }
  for (const Parameter& parameter : network.parameters())
    if (!parameter.optional && !result.tensors.contains(parameter.name))
      misfit.missing.push_back(parameter.name);
  if (!only_head || !misfit.missing.empty() || !misfit.unexpected.empty() || !misfit.types.empty())
    misfit.other_num_classes = 0;
  return result;
}

std::size_t faults(const Misfit& misfit) {
  return misfit.missing.size() + misfit.unexpected.size() + misfit.shapes.size() +
         misfit.types.size();
}

// With the network or with the form that its files may have, whichever fits better.
Comparison compare_forms(const Checkpoint& checkpoint, const Network& network) {
  Comparison int8 = compare_all(checkpoint, network);
  const Network* const source = network.source();
  if (!source || source->form() != Form::kQuantizationAware || int8.misfit.empty()) return int8;
  Comparison trained = compare_all(checkpoint, *source);
  return faults(trained.misfit) < faults(int8.misfit) ? trained : int8;
}

void append_list(std::string& text, std::string_view label, const std::vector<std::string>& items,
                 std::string_view separator) {
  if (items.empty()) return;
  text +=
      (text.empty() ? "" : "; ") + std::to_string(items.size()) + " " + std::string(label) + ": ";
  for (std::size_t i = 0; i < std::min(items.size(), kListed); ++i)
    text += (i ? std::string(separator) : "") + items[i];
  if (items.size() > kListed) text += std::string(separator) + "...";
}

// The names of a file of a larger network that has this one as a part, "backbone.": what comes
// before the network's own in all of them; "" for nothing.
std::string common_prefix(const Checkpoint& checkpoint, const Network& network) {
  const Index index = index_of(network);
  const std::string outer = wrapper_of(checkpoint, index);
  if (checkpoint.entries.empty() || any_known(checkpoint, outer, index)) return "";
  const auto first = std::ranges::find_if(checkpoint.entries, [&](const auto& entry) {
    return std::string_view(entry.first).starts_with(outer);
  });
  const std::string_view name = std::string_view(first->first).substr(outer.size());
  for (std::size_t dot = name.find('.'); dot != name.npos; dot = name.find('.', dot + 1)) {
    const std::string_view inner = name.substr(0, dot + 1);
    if (share_of(checkpoint, outer, inner) != Share::kAll) return "";
    if (any_known(checkpoint, outer + std::string(inner), index)) return std::string(inner);
  }
  return "";
}

std::string hint_of_prefix(const Checkpoint& checkpoint, const Network& network) {
  const std::string prefix = common_prefix(checkpoint, network);
  if (prefix.empty()) return "";
  const std::string part = prefix.substr(0, prefix.size() - 1);
  return "all names begin with \"" + prefix + "\": save the state dict of that part, model." +
         part + ".state_dict()";
}

Error misfit_error(const Checkpoint& checkpoint, const Misfit& misfit, const Network& network) {
  std::string lists;
  append_list(lists, "missing", misfit.missing, ", ");
  append_list(lists, "unexpected", misfit.unexpected, ", ");
  append_list(lists, "of another shape", misfit.shapes, ", ");
  append_list(lists, "of another type", misfit.types, ", ");
  std::string hint = hint_of_prefix(checkpoint, network);
  if (misfit.other_num_classes > 0) {
    const std::string classes = std::to_string(misfit.other_num_classes);
    // The weights name is all that an element's user can set; the other two ways have a number.
    hint =
        misfit.head + " has " + classes + " classes, the network was built for " +
        std::to_string(network.num_classes()) + ": name the file and its " + classes +
        " categories in a user-defined entry (docs/user-weights.md) and use that, or say model=" +
        network.builder() +
        " instead of weights, and classes have numbers for names; tvmodels run " +
        "and save take --num-classes " + classes + ", C++ num_classes=" + classes;
  }
  return {Code::kBadCheckpoint, "the tensors do not fit " + network.builder() + ": " + lists, hint};
}

}  // namespace

const Network& bound_network(const BoundTensors& tensors, const Network& network) {
  return tensors.size() == network.parameters().size() || !network.source() ? network
                                                                            : *network.source();
}

std::optional<std::int64_t> root_version(const Checkpoint& checkpoint, const Network& network) {
  std::string root = wrapper_of(checkpoint, index_of(network));
  if (!root.empty()) root.pop_back();  // the dot
  const auto found = checkpoint.versions.find(root);
  return found == checkpoint.versions.end() ? std::optional<std::int64_t>() : found->second;
}

Misfit compare(const Checkpoint& checkpoint, const Network& network) {
  return compare_forms(checkpoint, network).misfit;
}

Result<BoundTensors> bind(const Checkpoint& checkpoint, const Network& network) {
  const Comparison comparison = compare_forms(checkpoint, network);
  if (!comparison.misfit.empty()) return misfit_error(checkpoint, comparison.misfit, network);
  BoundTensors bound;
  bound.reserve(comparison.network->parameters().size());
  for (const Parameter& parameter : comparison.network->parameters()) {
    const auto found = comparison.tensors.find(parameter.name);
    bound.push_back(found == comparison.tensors.end() ? TensorView{} : *found->second);
  }
  return bound;
}

}  // namespace tv::graph
