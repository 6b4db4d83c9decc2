#include "model_registry/registry/legacy.hpp"

#include <mutex>
#include <set>
#include <utility>

#include "model_registry/registry/builtin.hpp"
#include "model_registry/registry/registry.hpp"

namespace tv {
namespace {

constexpr std::string_view kQuantizedPrefix = "quantized_";
constexpr std::string_view kV1[] = {"IMAGENET1K_V1", "IMAGENET1K_FBGEMM_V1",
                                    "IMAGENET1K_QNNPACK_V1"};

bool is_first_version(std::string_view entry) {
  for (const std::string_view v1 : kV1)
    if (entry == v1) return true;
  return false;
}

// torchvision's own entries alone: a user's additions have no past.
const Weights* first_version(std::string_view builder) {
  for (const Weights* const weights : builtin_weights())
    if (weights->builder == builder && is_first_version(weights->entry)) return weights;
  return nullptr;
}

struct Listeners {
  std::mutex mutex;
  WarningHandler handler;
  std::set<std::string, std::less<>> told;
};

Listeners& listeners() {
  static auto* const kListeners = new Listeners;  // outlives every static object
  return *kListeners;
}

}  // namespace

std::string_view float_builder(std::string_view builder) {
  if (builder.starts_with(kQuantizedPrefix)) builder.remove_prefix(kQuantizedPrefix.size());
  return builder;
}

Result<LegacyChoice> legacy_weights(std::string_view builder, const LegacyArguments& arguments) {
  TV_ASSIGN_OR_RETURN(const auto known, get_model_weights(builder));
  const std::string name(known.front()->builder);
  LegacyChoice choice;
  std::string meaning = "weights=none";
  if (arguments.pretrained) {
    choice.weights = first_version(arguments.quantize ? name : float_builder(name));
    if (!choice.weights)
      return Error{Code::kNotFound,
                   name + ": pretrained=true means IMAGENET1K_V1, and there is no such entry",
                   "choose one: weights=" + known.front()->name()};
    meaning = "weights=" + choice.weights->name();
  }
  if (arguments.positional) {
    choice.warnings.push_back(positional_warning(name));
  } else {
    choice.warnings.push_back(name +
                              ": pretrained is deprecated since torchvision 0.13 and may be "
                              "removed, use weights instead");
  }
  std::string sentence = name + ": pretrained=" + (arguments.pretrained ? "true" : "false") +
                         " is deprecated and means " + meaning;
  if (choice.weights)
    sentence += "; " + std::string(choice.weights->enum_name) +
                ".DEFAULT names the most up-to-date weights";
  choice.warnings.push_back(std::move(sentence));
  return choice;
}

std::string positional_warning(std::string_view builder) {
  return std::string(builder) +
         ": weights and progress as positional arguments are deprecated since torchvision 0.13 and "
         "may be removed, name them: " +
         std::string(builder) + "({.weights = ...})";
}

void set_warning_handler(WarningHandler handler) {
  Listeners& all = listeners();
  const std::lock_guard lock(all.mutex);
  all.handler = std::move(handler);
}

void warn(const std::string& sentence) {
  Listeners& all = listeners();
  WarningHandler handler;
  {
    const std::lock_guard lock(all.mutex);
    if (!all.handler || !all.told.insert(sentence).second) return;
    handler = all.handler;
  }
  handler(sentence);  // without the lock: it may set another handler
}

}  // namespace tv
