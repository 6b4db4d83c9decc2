// Builders by name, and what they build; builders.hpp has those with a name in C++.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "model_registry/error.hpp"
#include "model_registry/graph/bind.hpp"
#include "model_registry/graph/module.hpp"
#include "model_registry/models/build_options.hpp"
#include "model_registry/registry/weights.hpp"

namespace tv {

/// An architecture and the weights chosen for it (nullptr: random). Loading happens when a backend
/// runs it.
struct Model {
  std::shared_ptr<const graph::Network> network;
  const Weights* weights = nullptr;
};

/// torchvision.models.get_model(name, **options), any letter case. Fails: NotFound with the nearest
/// builders, Unsupported for a builder of the registry whose architecture is not in this version,
/// InvalidArgument for options that the builder does not take or that contradict each other.
/// Thread-safe.
Result<Model> get_model(std::string_view builder, const BuildOptions& options = {});

/// A builder that was named at run time.
class NamedBuilder {
 public:
  explicit NamedBuilder(std::string_view name) : name_(name) {}
  std::string_view name() const { return name_; }  ///< "resnet50"
  Result<Model> operator()(const BuildOptions& options = {}) const {
    return get_model(name_, options);
  }

 private:
  std::string_view name_;
};

/// torchvision.models.get_model_builder, any letter case. Fails as get_model for a name.
Result<NamedBuilder> get_model_builder(std::string_view name);

/// True for the enums and user-defined entries of quantized builders: their files hold int8
/// networks, which only quantize=true builds.
bool implies_quantize(const Weights& weights);

/// The builders that this version can run, sorted.
std::span<const std::string_view> available_models();

/// The network that a file is for: `network`, or for MNASNet's files of version 1 the one with the
/// stem of that time, as in Python's load_state_dict(). Fails: BadCheckpoint for an MNASNet file
/// that does not say its version, or says another than 1 and 2.
Result<std::shared_ptr<const graph::Network>> network_of_file(
    const Checkpoint& checkpoint, const std::shared_ptr<const graph::Network>& network);

/// graph::bind to network_of_file(), which is then the network to load. Fails as both do; where the
/// tensors do not fit, the hint names the builder that the file looks like, if there is one.
Result<graph::BoundTensors> bind_checkpoint(const Checkpoint& checkpoint,
                                            const graph::Network& network);

/// The available builder whose names and shapes are those of the file, whatever its number of
/// classes; "" for none.
std::string recognise_builder(const Checkpoint& checkpoint);

}  // namespace tv
