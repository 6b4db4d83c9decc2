// What architecture files declare with: modules that record their parameters and initialisation,
// and a forward that records nodes. The order of construction is Python's, because it decides the
// random numbers; the order of registration (add) is Python's too, because it decides the names and
// order of the state dict. They may differ.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model_registry/error.hpp"
#include "model_registry/graph/graph.hpp"

namespace tv::graph {

/// torchvision's `backend`: fbgemm's weights have a scale for each channel and its activations are
/// 0..127; qnnpack's weights have one scale and its activations are 0..255.
enum class QuantizedBackend : std::uint8_t { kFbgemm, kQnnpack };
/// "fbgemm"
std::string_view backend_name(QuantizedBackend backend);

/// What the leaves of a network are. The modules are the same in all forms, and so is the forward.
enum class Form : std::uint8_t {
  kFloat,
  kQuantizationAware,  ///< the form of some files, which becomes int8 when it is loaded: float,
                       ///< with what training observed. Nobody runs it.
  kInt8,               ///< int8 weights, scales and zero points
};

/// Collects parameters and initialisation steps while a network is constructed. Parameters are
/// named afterwards, when the tree is complete.
class Build {
 public:
  Build() = default;
  /// `backend`: for which kernels int8 numbers are made; of no matter in the other forms.
  Build(Form form, QuantizedBackend backend) : form_(form), backend_(backend) {}
  bool int8() const { return form_ == Form::kInt8; }
  bool quantization_aware() const { return form_ == Form::kQuantizationAware; }
  /// Of the batch norms: a quantizable network has one epsilon for all.
  void batch_norm_eps(double eps) { batch_norm_eps_ = eps; }

  /// Declares a tensor and returns its id, which modules keep and hand to the operators of ops.hpp.
  int parameter(Shape shape, DType dtype = DType::kFloat32, bool is_buffer = false,
                bool optional = false);
  const Shape& shape(int parameter) const {
    return parameters_[static_cast<std::size_t>(parameter)].shape;
  }

  // torch.nn.init's functions, recorded in call order.
  void constant(int parameter, double value);
  void uniform(int parameter, double low, double high);
  void normal(int parameter, double mean, double std);
  void trunc_normal(int parameter, double mean, double std, double low = -2, double high = 2);
  enum class Fan : std::uint8_t { kIn, kOut };
  /// leaky_relu gain
  void kaiming_uniform(int parameter, double negative_slope, Fan fan = Fan::kIn);
  /// relu gain
  void kaiming_normal(int parameter, Fan fan);
  void xavier_uniform(int parameter);
  /// kaiming_uniform_ with the gain of another nonlinearity (sigmoid: 1).
  void kaiming_uniform_gain(int parameter, double gain, Fan fan);
  /// Numbers that Python computes rather than draws (index and coordinate tables), row-major.
  void values(int parameter, std::vector<double> numbers);

  /// How the architecture's tensors were called in older files: given a name that the network does
  /// not know, the name it has today, or "" for none.
  using OldNames = std::string (*)(std::string_view old_name);
  void old_names(OldNames rename) { old_names_ = rename; }

 private:
  friend class Network;
  void step(InitRule rule, int parameter, double a, double b = 0, double c = 0, double d = 0);

  std::vector<Parameter> parameters_;
  std::vector<InitStep> steps_;
  OldNames old_names_ = nullptr;
  Form form_ = Form::kFloat;
  QuantizedBackend backend_ = QuantizedBackend::kFbgemm;
  double batch_norm_eps_ = 0;
};

/// Elements of a weight that feed one output (kIn) or that one input feeds (kOut); shape [out, in,
/// ...].
std::int64_t fan_of(const Shape& shape, Build::Fan fan);

/// Ids of the parameters that say how a result is quantised: real = scale * (q - zero_point),
/// float32 and int64.
struct QParams {
  int scale = -1;
  int zero_point = -1;
};

class Module;
class Network;
class Trace;

/// A tensor in a forward being traced: a node of the graph under construction. Cheap to copy.
class Value {
 public:
  Value(Trace* trace, int node) : trace_(trace), node_(node) {}
  /// Batch first.
  const Shape& shape() const;
  Trace& trace() const { return *trace_; }
  int node() const { return node_; }

 private:
  Trace* trace_;
  int node_;
};

/// A graph under construction. The first error wins: after it every operator returns its input
/// unchanged, so that a forward needs no error handling of its own and runs to its end.
class Trace {
 public:
  explicit Trace(const Network& network) : network_(network) {}

  /// Appends a node. `params` are ids from Build::parameter().
  Value record(Op op, std::span<const Value> inputs, std::span<const int> params, Attrs attrs,
               Shape shape);
  /// Remembers the first failure, prefixed with the layer, and returns `x` (or the input node).
  Value fail(const Value& x, Op op, std::string_view problem);
  bool failed() const { return error_.has_value(); }
  /// Of an id from Build::parameter().
  const Shape& parameter_shape(int parameter) const;
  const Shape& shape(int node) const { return graph_.nodes[static_cast<std::size_t>(node)].shape; }

 private:
  friend class Network;
  friend class TraceScope;
  const Network& network_;
  Graph graph_;
  std::optional<Error> error_;
  const Module* module_ = nullptr;  // the one whose forward is running
};

inline const Shape& Value::shape() const {
  return trace_->shape(node_);
}

/// While it lives, nodes are recorded in the name of one module.
class TraceScope {
 public:
  TraceScope(Trace& trace, const Module& module) : trace_(trace), outer_(trace.module_) {
    trace_.module_ = &module;
  }
  ~TraceScope() { trace_.module_ = outer_; }
  TraceScope(const TraceScope&) = delete;
  TraceScope& operator=(const TraceScope&) = delete;

 private:
  Trace& trace_;
  const Module* outer_;
};

/// A module that a parent owns; call it as in Python: `bn1(conv1(x))`. A forward may take more than
/// one value, or a vector of them (never empty), as long as a Value comes first.
template <typename M>
class Ref {
 public:
  Ref() = default;
  explicit Ref(M* module) : module_(module) {}
  explicit operator bool() const { return module_ != nullptr; }
  M* operator->() const { return module_; }
  M& operator*() const { return *module_; }

  template <typename First, typename... Rest>
  auto operator()(const First& first, const Rest&... rest) const {
    TraceScope scope(trace_of(first), *module_);
    return module_->forward(first, rest...);
  }

 private:
  static Trace& trace_of(const Value& value) { return value.trace(); }
  static Trace& trace_of(std::span<const Value> values) { return values.front().trace(); }

  M* module_ = nullptr;
};

/// torch.nn.Module: own tensors, then named children.
class Module {
 public:
  virtual ~Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  /// One value in, one out. Modules that take more declare a forward of their own and leave this
  /// one, which fails.
  virtual Value forward(Value x) const;

  /// This module, then its children, depth first in registration order: Python's modules().
  void for_each(const std::function<void(Module&)>& visit);

  struct Tensor {
    std::string name;
    int parameter;
  };
  struct Child {
    std::string name;
    std::unique_ptr<Module> module;
    bool removed = false;
  };
  const std::vector<Tensor>& tensors() const { return tensors_; }
  const std::vector<Child>& children() const { return children_; }
  /// Python's `_version`, which files keep so that an older one can be told: 1 unless it is set.
  int version() const { return version_; }
  void set_version(int version) { version_ = version; }
  /// "layer1.0.conv1"; set when the network is complete.
  const std::string& path() const { return path_; }

 protected:
  Module() = default;
  /// Registers an own parameter or buffer under a name, and returns its id.
  int add_tensor(std::string name, int parameter);
  /// Registers "scale" and "zero_point" of an int8 result, buffers of the given shape ([] or [1]),
  /// and returns their ids.
  QParams add_qparams(Build& build, const Shape& shape = {});
  /// Registers a child under a name.
  template <typename M>
  Ref<M> add(std::string name, std::unique_ptr<M> module) {
    M* raw = module.get();
    children_.push_back({std::move(name), std::move(module)});
    return Ref<M>(raw);
  }
  /// A child that Python constructs, initialises and then removes (GoogLeNet's auxiliary heads with
  /// weights): it draws its random numbers and files may hold its tensors, but the network has none
  /// of them and must not call it.
  template <typename M>
  void add_removed(std::string name, std::unique_ptr<M> module) {
    children_.push_back({std::move(name), std::move(module), true});
  }

 private:
  friend class Network;
  std::vector<Tensor> tensors_;
  std::vector<Child> children_;
  std::string path_;
  int version_ = 1;
};

/// What a network says about images that it cannot take. Sides in pixels.
struct ImageSizes {
  int documented = 1;  ///< smallest height and width that torchvision documents
  int smallest = 1;    ///< smallest that the network runs on
  /// Networks are made for images of one size, this one for `documented`.
  bool one = false;
  /// Of those: whether there can be a network for images of another size.
  std::function<bool(std::int64_t side)> buildable = {};
};

/// A complete architecture: named parameters in state_dict() order, initialisation steps, and a
/// forward for any allowed input size. Immutable; safe to share between threads.
class Network {
 public:
  /// Names the parameters of `root`. Those that the tree does not hold are dropped, their steps
  /// kept for the draws. The tree must register each tensor once.
  Network(std::string builder, Build build, std::unique_ptr<Module> root, int num_classes,
          ImageSizes image_sizes = {}, std::shared_ptr<const Network> source = nullptr);

  const std::string& builder() const { return builder_; }
  int num_classes() const { return num_classes_; }
  /// Smallest height and width that torchvision documents, pixels.
  int min_size() const { return image_sizes_.documented; }
  Form form() const { return form_; }
  bool int8() const { return form_ == Form::kInt8; }
  /// Of an int8 network: the kernels that its numbers were made for.
  QuantizedBackend backend() const { return backend_; }
  /// Of an int8 network: the float form of the same modules, which its numbers are made from where
  /// no file has them: initialised at random and calibrated, or from a file of the
  /// quantisation-aware form. nullptr for others.
  const Network* source() const { return source_.get(); }
  /// Of an int8 network: epsilon of the batch norms that its convolutions have taken up.
  double batch_norm_eps() const { return batch_norm_eps_; }
  /// In state_dict() order: a module's own parameters, its own buffers, then its children.
  const std::vector<Parameter>& parameters() const { return parameters_; }
  const std::vector<InitStep>& init() const { return init_; }
  /// Of removed children: names that files may hold and that nobody needs.
  const std::vector<Parameter>& removed() const { return removed_; }
  /// Module path -> version, as write_state_dict() takes them; "" is the whole network. Of Python's
  /// modules, those that hold tensors and those between.
  std::map<std::string, std::int64_t> module_versions() const;
  std::int64_t num_params() const;  ///< elements of all parameters, without buffers
  /// Today's name of a tensor in an old file; "" for none.
  std::string current_name(std::string_view old_name) const {
    return old_names_ ? old_names_(old_name) : std::string();
  }

  /// Records the forward for an input [N, 3, H, W], 1 <= N <= 4096, 1 <= H, W <= 16384. Fails:
  /// InvalidArgument with the layer where the image became too small, expected and found.
  Result<Graph> trace(const Shape& input) const;

 private:
  friend class Trace;
  std::string size_hint(const Shape& input) const;
  void name_tensors(Module& module, const std::string& path, const Build& build, bool removed);

  std::string builder_;
  std::unique_ptr<Module> root_;
  std::vector<Parameter> parameters_, removed_;
  std::vector<int> ids_;  // id of Build::parameter() -> index into parameters_, -1 = dropped
  std::vector<InitStep> init_;
  Build::OldNames old_names_;
  Form form_;
  QuantizedBackend backend_;
  double batch_norm_eps_;
  std::shared_ptr<const Network> source_;
  int num_classes_;
  ImageSizes image_sizes_;
};

}  // namespace tv::graph
