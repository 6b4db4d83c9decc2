// Small networks for tests, written down as one function.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "model_registry/graph/module.hpp"
#include "model_registry/models/nn/layers.hpp"

namespace tv::test {

/// A module whose children and forward are given by functions.
class SketchModule final : public graph::Module {
 public:
  using Forward = std::function<graph::Value(graph::Value)>;
  graph::Value forward(graph::Value x) const override { return forward_(x); }
  void set_forward(Forward forward) { forward_ = std::move(forward); }
  template <typename M, typename... Args>
  graph::Ref<M> make(std::string name, Args&&... args) {
    return add(std::move(name), std::make_unique<M>(std::forward<Args>(args)...));
  }
  using graph::Module::add;
  using graph::Module::add_removed;

 private:
  Forward forward_;
};

/// `declare` adds children and returns the forward; the result must be [N, classes].
inline graph::Network sketch(
    const std::function<SketchModule::Forward(SketchModule&, graph::Build&)>& declare, int classes,
    int min_size = 1, graph::Form form = graph::Form::kFloat) {
  graph::Build build(form, graph::QuantizedBackend::kFbgemm);
  auto root = std::make_unique<SketchModule>();
  root->set_forward(declare(*root, build));
  return graph::Network("sketch", std::move(build), std::move(root), classes,
                        {.documented = min_size, .smallest = min_size});
}

}  // namespace tv::test
