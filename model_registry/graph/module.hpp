// What architecture files declare with: modules that record their parameters and initialisation, and a forward that
// records nodes. The order of construction is Python's, because it decides the random numbers; the order of
// registration (add) is Python's too, because it decides the names and order of the state dict. They may differ.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "model_registry/error.hpp"
#include "model_registry/graph/graph.hpp"

namespace tv::graph {

/// Collects parameters and initialisation steps while a network is constructed. Parameters are named afterwards, when
/// the tree is complete.
class Build {
 public:
  /// Declares a tensor and returns its id.
  int parameter(Shape shape, DType dtype = DType::kFloat32, bool is_buffer = false, bool optional = false);
  const Shape& shape(int parameter) const { return parameters_[static_cast<std::size_t>(parameter)].shape; }

  // torch.nn.init's functions, recorded in call order.
  void constant(int parameter, double value);
  void uniform(int parameter, double low, double high);
  void normal(int parameter, double mean, double std);
  void trunc_normal(int parameter, double mean, double std, double low = -2, double high = 2);
  enum class Fan { kIn, kOut };
  void kaiming_uniform(int parameter, double negative_slope, Fan fan = Fan::kIn);  ///< leaky_relu gain
  void kaiming_normal(int parameter, Fan fan);                                     ///< relu gain
  void xavier_uniform(int parameter);

 private:
  friend class Network;
  std::vector<Parameter> parameters_;
  std::vector<InitStep> steps_;
};

class Trace;

/// A tensor in a forward being traced: a node of the graph under construction. Cheap to copy.
class Value {
 public:
  Value(Trace* trace, int node) : trace_(trace), node_(node) {}
  const Shape& shape() const;
  Trace& trace() const { return *trace_; }
  int node() const { return node_; }

 private:
  Trace* trace_;
  int node_;
};

/// A module that a parent owns; call it as in Python: `bn1(conv1(x))`.
template <typename M>
class Ref {
 public:
  Ref() = default;
  explicit Ref(M* module) : module_(module) {}
  explicit operator bool() const { return module_ != nullptr; }
  M* operator->() const { return module_; }
  M& operator*() const { return *module_; }
  template <typename... Args>
  auto operator()(Args&&... args) const;

 private:
  M* module_ = nullptr;
};

/// torch.nn.Module: own tensors, then named children.
class Module {
 public:
  virtual ~Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;
  virtual Value forward(Value x) const = 0;

  /// This module, then its children, depth first in registration order: Python's modules().
  void for_each(const std::function<void(Module&)>& visit);

  struct Tensor { std::string name; int parameter; };
  struct Child { std::string name; std::unique_ptr<Module> module; };
  const std::vector<Tensor>& tensors() const { return tensors_; }
  const std::vector<Child>& children() const { return children_; }
  const std::string& path() const { return path_; }

 protected:
  Module() = default;
  /// Registers an own parameter or buffer under a name; parameters before buffers, as state_dict() lists them.
  int add_tensor(std::string name, int parameter);
  template <typename M>
  Ref<M> add(std::string name, std::unique_ptr<M> module) {
    M* raw = module.get();
    children_.push_back({std::move(name), std::move(module)});
    return Ref<M>(raw);
  }

 private:
  friend class Network;
  std::vector<Tensor> tensors_;
  std::vector<Child> children_;
  std::string path_;  // "layer1.0.conv1", set when the network is complete
};

template <typename M>
template <typename... Args>
auto Ref<M>::operator()(Args&&... args) const {
  return module_->forward(std::forward<Args>(args)...);
}

/// A complete architecture: named parameters in state_dict() order, initialisation steps, and a forward for any
/// allowed input size. Immutable; safe to share between threads.
class Network {
 public:
  /// Names the parameters of `root` (those that the tree does not hold are dropped, their steps kept for the draws).
  Network(std::string builder, Build build, std::unique_ptr<Module> root, int num_classes, int min_size);

  const std::string& builder() const { return builder_; }
  int num_classes() const { return num_classes_; }
  int min_size() const { return min_size_; }
  const std::vector<Parameter>& parameters() const { return parameters_; }
  const std::vector<InitStep>& init() const { return init_; }
  std::int64_t num_params() const;  ///< without buffers

  /// Records the forward for an input [N, 3, H, W]. Fails: InvalidArgument with the layer where the image became too
  /// small, expected and found.
  Result<Graph> trace(const Shape& input) const;

 private:
  std::string builder_;
  std::unique_ptr<Module> root_;
  std::vector<Parameter> parameters_;
  std::vector<InitStep> init_;
  int num_classes_;
  int min_size_;
};

}  // namespace tv::graph
