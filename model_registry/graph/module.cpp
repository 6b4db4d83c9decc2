#include "model_registry/graph/module.hpp"

#include <algorithm>
#include <cassert>
#include <cstddef>

namespace tv::graph {
namespace {

constexpr std::int64_t kMaxBatch = 4096;
constexpr std::int64_t kMaxSide = 16384;

Error bad_input(const std::string& builder, const Shape& input) {
  return {Code::kInvalidArgument,
          builder + ": input " + shape_text(input) + ", expected [N, 3, H, W]",
          "N is 1.." + std::to_string(kMaxBatch) + ", H and W are 1.." + std::to_string(kMaxSide)};
}

bool acceptable(const Shape& input) {
  return input.size() == 4 && input[0] >= 1 && input[0] <= kMaxBatch && input[1] == 3 &&
         input[2] >= 1 && input[2] <= kMaxSide && input[3] >= 1 && input[3] <= kMaxSide;
}

std::string square(std::int64_t side) {
  return std::to_string(side) + "x" + std::to_string(side);
}

}  // namespace

std::string_view backend_name(QuantizedBackend backend) {
  return backend == QuantizedBackend::kFbgemm ? "fbgemm" : "qnnpack";
}

// ---- Module
// ----------------------------------------------------------------------------------------------------

Value Module::forward(Value x) const {
  return x.trace().fail(x, Op::kInput, "has no forward for a single tensor");
}

void Module::for_each(const std::function<void(Module&)>& visit) {
  visit(*this);
  for (auto& child : children_) child.module->for_each(visit);
}

int Module::add_tensor(std::string name, int parameter) {
  tensors_.push_back({std::move(name), parameter});
  return parameter;
}

QParams Module::add_qparams(Build& build, const Shape& shape) {
  return {add_tensor("scale", build.parameter(shape, DType::kFloat32, true)),
          add_tensor("zero_point", build.parameter(shape, DType::kInt64, true))};
}

// ---- Trace
// -----------------------------------------------------------------------------------------------------

Value Trace::record(Op op, std::span<const Value> inputs, std::span<const int> params, Attrs attrs,
                    Shape shape) {
  const Value unchanged = inputs.empty() ? Value(this, 0) : inputs.front();
  if (failed()) return unchanged;
  Node node{.op = op,
            .inputs = {},
            .params = {},
            .attrs = attrs,
            .shape = std::move(shape),
            .scope = module_ ? module_->path() : std::string()};
  for (const Value& input : inputs) node.inputs.push_back(input.node());
  for (const int param : params) {
    const int id = network_.ids_[static_cast<std::size_t>(param)];
    if (id < 0) return fail(unchanged, op, "uses a parameter that the network does not hold");
    node.params.push_back(id);
  }
  graph_.nodes.push_back(std::move(node));
  return {this, static_cast<int>(graph_.nodes.size()) - 1};
}

Value Trace::fail(const Value& x, Op op, std::string_view problem) {
  if (!failed()) {
    std::string layer = module_ ? module_->path() : std::string();
    if (layer.empty()) layer = op_name(op);
    error_ = Error{Code::kInvalidArgument,
                   network_.builder_ + ": layer " + layer + " " + std::string(problem),
                   network_.size_hint(graph_.nodes.front().shape)};
  }
  return x;
}

const Shape& Trace::parameter_shape(int parameter) const {
  static const Shape kNone;
  const int id = network_.ids_[static_cast<std::size_t>(parameter)];
  return id < 0 ? kNone : network_.parameters_[static_cast<std::size_t>(id)].shape;
}

// ---- Network
// ---------------------------------------------------------------------------------------------------

Network::Network(std::string builder, Build build, std::unique_ptr<Module> root, int num_classes,
                 ImageSizes image_sizes, std::shared_ptr<const Network> source)
    : builder_(std::move(builder)),
      root_(std::move(root)),
      ids_(build.parameters_.size(), -1),
      init_(std::move(build.steps_)),
      old_names_(build.old_names_),
      form_(build.form_),
      backend_(build.backend_),
      batch_norm_eps_(build.batch_norm_eps_),
      source_(std::move(source)),
      num_classes_(num_classes),
      image_sizes_(std::move(image_sizes)) {
  name_tensors(*root_, "", build, false);
  for (InitStep& step : init_) step.parameter = ids_[static_cast<std::size_t>(step.parameter)];
}

void Network::name_tensors(Module& module, const std::string& path, const Build& build,
                           bool removed) {
  module.path_ = path;
  const std::string prefix = path.empty() ? "" : path + ".";
  for (const bool buffers : {false, true}) {
    for (const Module::Tensor& tensor : module.tensors_) {
      const auto id = static_cast<std::size_t>(tensor.parameter);
      if (build.parameters_[id].is_buffer != buffers) continue;
      assert(ids_[id] < 0);
      if (!removed) ids_[id] = static_cast<int>(parameters_.size());
      auto& list = removed ? removed_ : parameters_;
      list.push_back(build.parameters_[id]);
      list.back().name = prefix + tensor.name;
    }
  }
  for (Module::Child& child : module.children_)
    name_tensors(*child.module, prefix + child.name, build, removed || child.removed);
}

std::map<std::string, std::int64_t> Network::module_versions() const {
  std::map<std::string, std::int64_t> versions;
  // Whether the module or one below holds tensors: what does only in int8 is no module of Python's.
  const std::function<bool(const Module&)> visit = [&](const Module& module) {
    bool holds = !module.tensors().empty();
    for (const Module::Child& child : module.children())
      if (!child.removed) holds |= visit(*child.module);
    if (holds) versions[module.path()] = module.version();
    return holds;
  };
  visit(*root_);
  return versions;
}

// What the size of an image has to do with a failure; "" for nothing.
std::string Network::size_hint(const Shape& input) const {
  const std::int64_t height = input[2], width = input[3];
  if (!image_sizes_.one) {
    if (std::min(height, width) >= image_sizes_.smallest) return "";
    return "the smallest image for " + builder_ + " is " + square(image_sizes_.smallest) +
           ", this one is " + std::to_string(height) + "x" + std::to_string(width);
  }
  const std::string built = "it was built for images of " + square(image_sizes_.documented);
  if (height != width || !image_sizes_.buildable || !image_sizes_.buildable(height)) return built;
  const std::string side = std::to_string(height);
  return built + ": build it with image_size=" + side + " (tvmodels run and save: --image-size " +
         side + "), or name its file in a user-defined entry with that crop_size " +
         "(docs/user-weights.md)";
}

std::int64_t Network::num_params() const {
  std::int64_t count = 0;
  for (const Parameter& parameter : parameters_) {
    if (parameter.is_buffer) continue;
    std::int64_t elements = 1;
    for (const std::int64_t size : parameter.shape) elements *= size;
    count += elements;
  }
  return count;
}

Result<Graph> Network::trace(const Shape& input) const {
  if (!acceptable(input)) return bad_input(builder_, input);
  Trace trace(*this);
  trace.graph_.first_derived = static_cast<int>(parameters_.size());
  trace.graph_.nodes.push_back(
      {.op = Op::kInput, .inputs = {}, .params = {}, .attrs = {}, .shape = input, .scope = {}});
  const Value output = Ref<const Module>(root_.get())(Value(&trace, 0));
  if (trace.failed()) return std::move(*trace.error_);
  if (output.shape() != Shape{input[0], num_classes_})
    return Error{Code::kInternal,
                 builder_ + ": the forward yields " + shape_text(output.shape()) + ", expected " +
                     shape_text({input[0], num_classes_}),
                 "please report this"};
  return without_dead_nodes(std::move(trace.graph_), output.node());
}

}  // namespace tv::graph
