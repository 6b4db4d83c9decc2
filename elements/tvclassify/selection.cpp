#include "elements/tvclassify/selection.hpp"

#include <string_view>
#include <utility>

#include "model_registry/registry/legacy.hpp"
#include "model_registry/registry/registry.hpp"
#include "model_registry/registry/text.hpp"

namespace tv {
namespace {

Error wrong(std::string what, std::string hint) {
  return {Code::kInvalidArgument, std::move(what), std::move(hint)};
}

/// weights=NAME beside model=BUILDER: an entry's name, or as in Python the entry alone ("DEFAULT").
/// A quantized builder also takes those of the float one, as in Python with quantize=False.
Result<const Weights*> entry_of_builder(const std::string& name, const std::string& builder) {
  // Neither enums nor entries nor builders have a dot in them.
  const std::string floats(float_builder(builder));
  if (name.find('.') == std::string::npos)
    for (const std::string& owner : {builder, floats})
      if (const auto own = resolve_weights(owner + "." + name)) return own;
  TV_ASSIGN_OR_RETURN(const Weights* const found, resolve_weights(name));
  if (found->builder == builder || found->builder == floats) return found;
  return wrong("weights " + found->name() + " belong to " + std::string(found->builder) +
                   ", not to model=" + builder,
               "leave model out, or choose weights of " + builder);
}

Result<Selection> without_model(const Settings& settings, bool none) {
  if (settings.pretrained.value_or(false))
    return wrong("pretrained=true without a model",
                 "say weights=resnet50, which needs neither; or model=resnet50 pretrained=true");
  if (none)
    return wrong("weights=none without a model",
                 "set model to the network to initialise at random, for example model=resnet50");
  if (settings.weights.empty())
    return wrong("no weights chosen",
                 "set the property, for example weights=resnet50; gst-inspect-1.0 tvclassify lists "
                 "all names");
  TV_ASSIGN_OR_RETURN(const Weights* const weights, resolve_weights(settings.weights));
  return Selection{weights, std::string(weights->builder), {}};
}

/// model=BUILDER pretrained=true or false, and no weights.
Result<Selection> legacy(const std::string& builder, bool pretrained) {
  TV_ASSIGN_OR_RETURN(LegacyChoice choice, legacy_weights(builder, {.pretrained = pretrained}));
  const std::string today = choice.weights ? choice.weights->name() : "none";
  return Selection{
      choice.weights, builder,
      wrong(std::move(choice.warnings.back()), "say weights=" + today + " instead of pretrained")};
}

}  // namespace

bool asks_for_trained(const Settings& settings) {
  if (!settings.weights_file.empty() || settings.pretrained.value_or(false)) return true;
  return !settings.weights.empty() && !equal_folded(settings.weights, "none");
}

Result<Selection> select(const Settings& settings) {
  const bool none = equal_folded(settings.weights, "none");
  if (settings.model.empty()) return without_model(settings, none);
  TV_ASSIGN_OR_RETURN(const auto entries, get_model_weights(settings.model));
  const std::string builder(entries.front()->builder);
  if (!settings.weights.empty() && settings.pretrained.value_or(false))
    return wrong("weights=" + settings.weights + " and pretrained=true contradict each other",
                 "leave pretrained out");
  if (none && !settings.weights_file.empty())
    return wrong("weights=none and weights-file contradict each other", "leave weights out");
  if (!settings.weights.empty() && !none) {
    TV_ASSIGN_OR_RETURN(const Weights* const weights, entry_of_builder(settings.weights, builder));
    return Selection{weights, builder, {}};
  }
  if (settings.weights.empty() && settings.pretrained) return legacy(builder, *settings.pretrained);
  if (none || !settings.weights_file.empty()) return Selection{nullptr, builder, {}};
  return wrong("model=" + builder + " says nothing of weights",
               "say weights=DEFAULT for the best published ones, weights=none for random "
               "initialisation");
}

Result<Transforms> recipe_of_builder(const std::string& builder) {
  TV_ASSIGN_OR_RETURN(const auto entries, get_model_weights(builder));
  const Weights* chosen = entries.front();
  for (const Weights* const entry : entries)
    if (!entry->user_defined && entry->min_size < chosen->min_size) chosen = entry;
  return chosen->preset;
}

}  // namespace tv
