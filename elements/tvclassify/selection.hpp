// Which network with which numbers: what the properties weights, model and pretrained say together.
#pragma once

#include <string>

#include "elements/tvclassify/settings.hpp"
#include "model_registry/error.hpp"
#include "model_registry/registry/weights.hpp"

namespace tv {

struct Selection {
  const Weights* weights = nullptr;  ///< nullptr: random initialisation, or a local file alone
  /// "resnet50"; "quantized_resnet50" with weights of resnet50: the float network in the form made
  /// for quantisation, where some activations are others.
  std::string builder;
  Error deprecation;  ///< `what` is empty where nothing deprecated was used

  /// What results call it: the entry's name, or the builder's where there is no entry.
  std::string name() const { return weights ? weights->name() : builder; }
};

/// Numbers from a file, whatever its name: none are drawn.
bool asks_for_trained(const Settings& settings);

/// Only names are judged. Fails: InvalidArgument (nothing chosen, or a contradiction), NotFound (no
/// such entry or builder; pretrained=true where there is no IMAGENET1K_V1).
Result<Selection> select(const Settings& settings);

/// The recipe for a network without an entry, which says nothing of pictures: that of the builder's
/// first published entry for its smallest pictures. Fails: NotFound (no such builder).
Result<Transforms> recipe_of_builder(const std::string& builder);

}  // namespace tv
