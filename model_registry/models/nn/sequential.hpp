// torch.nn.Sequential: children named "0", "1", ..., or as they are told, run one after another.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "model_registry/graph/module.hpp"

namespace tv::nn {

class Sequential : public graph::Module {
 public:
  /// Adds a module behind the others.
  template <typename M>
  graph::Ref<M> append(std::unique_ptr<M> module) {
    return append(std::to_string(children().size()), std::move(module));
  }
  /// The same under a name of its own, as Python's OrderedDict gives it.
  template <typename M>
  graph::Ref<M> append(std::string name, std::unique_ptr<M> module) {
    return add(std::move(name), std::move(module));
  }
  /// Constructs a module behind the others.
  template <typename M, typename... Args>
  graph::Ref<M> emplace(Args&&... args) {
    return append(std::make_unique<M>(std::forward<Args>(args)...));
  }

  graph::Value forward(graph::Value x) const override {
    for (const Child& child : children())
      x = graph::Ref<const graph::Module>(child.module.get())(x);
    return x;
  }
};

}  // namespace tv::nn
