#include "elements/inference/engine.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

namespace tv::inference {
namespace {

constexpr int kMaxDeviceIndex = 1023;
// In the order of enum Precision.
constexpr std::string_view kPrecisionNames[] = {"auto", "fp32", "fp16", "bf16"};

Error bad_device(std::string_view text) {
  return {Code::kInvalidArgument, "no device \"" + std::string(text) + "\"",
          "expected auto, cpu, cuda or cuda:N with N 0.." + std::to_string(kMaxDeviceIndex)};
}

std::string device_text(const Device& device) {
  return device.kind == DeviceKind::kCpu ? "cpu" : "cuda:" + std::to_string(device.index);
}

Result<Model> build(const ModelSpec& spec) {
  if (spec.model) return *spec.model;
  const bool own = spec.weights && spec.builder.empty();
  const std::string_view builder = own ? spec.weights->builder : std::string_view(spec.builder);
  const BuildOptions options{
      .weights = spec.weights,
      .num_classes = spec.num_classes,
      .image_size = spec.image_size,
      .quantize = spec.weights ? implies_quantize(*spec.weights) : spec.quantize,
      .own_file = !spec.weights_file.empty()};
  return get_model(builder, options);
}

Result<FileBytes> read_weights(const Weights* weights, const ModelSpec& spec,
                               const FetchOptions& fetch) {
  if (spec.weights_file.empty()) return fetch_weights(*weights, fetch);
  if (spec.file) return *spec.file;
  TV_ASSIGN_OR_RETURN(FileBytes file, read_file(spec.weights_file));
  if (!spec.weights_digest.empty() && file.sha256 != spec.weights_digest)
    return Error{Code::kBadDigest,
                 spec.weights_file + " was changed while it was being loaded: expected sha256 " +
                     spec.weights_digest + ", found " + file.sha256,
                 "start again when it is complete"};
  return file;
}

// What is wrong with the weights names the file that they came from.
Error in_file(Error error, const std::string& path) {
  if (error.code == Code::kBadCheckpoint && error.what.find(path) == std::string::npos)
    error.what = path + ": " + error.what;
  return error;
}

Status check_cancelled(const FetchOptions& fetch) {
  if (fetch.cancel && *fetch.cancel)
    return Error{Code::kCancelled, "loading the model was cancelled", ""};
  return {};
}

Result<Backend*> open_usable(const Device& device) {
  TV_ASSIGN_OR_RETURN(Backend* const backend, open_backend(device.kind));
  TV_RETURN_IF_ERROR(backend->usable(device.index));
  return backend;
}

/// The CPU computes in float32, and int8.
Status check_precision(Precision precision, const Placement& placement) {
  const bool half = precision == Precision::kFloat16 || precision == Precision::kBFloat16;
  if (!half || placement.device.kind != DeviceKind::kCpu) return {};
  const std::string name(precision_name(precision));
  return Error{
      Code::kUnsupported,
      "precision is " + name + ", but the CPU computes in fp32" +
          (placement.why_cpu.empty() ? "" : "; it is the CPU because " + placement.why_cpu),
      "set precision=auto, or device=cuda where there is a GPU"};
}

/// The first run prepares, the second one shows how long it takes.
Result<std::chrono::nanoseconds> warm_up(LoadedModel& model, int size) {
  const Shape shape = {1, 3, size, size};
  const std::vector<float> black(static_cast<std::size_t>(size) * static_cast<std::size_t>(size) *
                                 3);
  TV_RETURN_IF_ERROR(model.run(black, shape));
  const auto begin = std::chrono::steady_clock::now();
  TV_RETURN_IF_ERROR(model.run(black, shape));
  return std::chrono::steady_clock::now() - begin;
}

}  // namespace

std::string_view precision_name(Precision precision) {
  return kPrecisionNames[static_cast<std::size_t>(precision)];
}

Result<Precision> parse_precision(std::string_view text) {
  for (std::size_t i = 0; i < std::size(kPrecisionNames); ++i)
    if (kPrecisionNames[i] == text) return static_cast<Precision>(i);
  return Error{Code::kInvalidArgument, "no precision \"" + std::string(text) + "\"",
               "expected auto, fp32, fp16 or bf16"};
}

Result<std::optional<Device>> parse_device(std::string_view text) {
  constexpr std::string_view kNumbered = "cuda:";
  if (text == "auto") return std::optional<Device>();
  if (text == "cpu") return std::optional<Device>(Device{DeviceKind::kCpu, 0});
  if (text == "cuda") return std::optional<Device>(Device{DeviceKind::kCuda, 0});
  if (!text.starts_with(kNumbered)) return bad_device(text);
  const char* const end = text.data() + text.size();
  int index = -1;
  const auto [stop, fault] = std::from_chars(text.data() + kNumbered.size(), end, index);
  if (fault != std::errc() || stop != end || index < 0 || index > kMaxDeviceIndex)
    return bad_device(text);
  return std::optional<Device>(Device{DeviceKind::kCuda, index});
}

Result<Placement> place(const std::optional<Device>& device, bool int8, Precision precision) {
  if (int8 && device && device->kind != DeviceKind::kCpu)
    return Error{Code::kUnsupported,
                 "device is " + device_text(*device) + ", but int8 networks run on the CPU alone",
                 "set device=cpu, or choose the weights of the float builder"};
  if (int8 && !device) {
    TV_ASSIGN_OR_RETURN(Placement cpu, place(Device{DeviceKind::kCpu, 0}));
    cpu.why_cpu = "int8 networks run on the CPU alone";
    TV_RETURN_IF_ERROR(check_precision(precision, cpu));
    return cpu;
  }
  Placement chosen{.device = device.value_or(Device{DeviceKind::kCuda, 0})};
  auto backend = open_usable(chosen.device);
  if (!backend && !device) {
    chosen = {.device = {DeviceKind::kCpu, 0}, .why_cpu = std::move(backend.error().what)};
    backend = open_usable(chosen.device);
  }
  if (!backend) return backend.error();
  chosen.backend = *backend;
  TV_RETURN_IF_ERROR(check_precision(precision, chosen));
  return chosen;
}

Result<ReadyModel> load_model(const ModelSpec& spec, const FetchOptions& fetch, int warm_up_size) {
  TV_ASSIGN_OR_RETURN(const Model model, build(spec));
  // Before the download: without a backend it would be in vain.
  TV_ASSIGN_OR_RETURN(const Placement placement,
                      place(spec.device, model.network->int8(), spec.precision));

  LoadRequest request{.network = model.network,
                      .tensors = nullptr,
                      .seed = spec.seed,
                      .executor = spec.executor,
                      .device_index = placement.device.index,
                      .precision = spec.precision};
  ReadyModel ready{.model = nullptr,
                   .network = model.network,
                   .sha256 = {},
                   .device = device_text(placement.device),
                   .why_cpu = placement.why_cpu};
  graph::BoundTensors tensors;
  std::string path;
  if (model.weights || !spec.weights_file.empty()) {
    TV_RETURN_IF_ERROR(check_cancelled(fetch));
    TV_ASSIGN_OR_RETURN(const FileBytes file, read_weights(model.weights, spec, fetch));
    TV_ASSIGN_OR_RETURN(const Checkpoint checkpoint, read_checkpoint(file));
    auto network = network_of_file(checkpoint, model.network);
    if (!network) return in_file(std::move(network.error()), file.path);
    auto bound = bind_checkpoint(checkpoint, **network);
    if (!bound) return in_file(std::move(bound.error()), file.path);
    request.network = ready.network = std::move(*network);
    tensors = std::move(*bound);  // the views keep the file's bytes
    request.tensors = &tensors;
    ready.sha256 = file.sha256;
    path = file.path;
  }
  TV_RETURN_IF_ERROR(check_cancelled(fetch));
  auto loaded = placement.backend->load(request);
  if (!loaded) return in_file(std::move(loaded.error()), path);
  ready.model = std::move(*loaded);
  if (warm_up_size > 0) {
    TV_ASSIGN_OR_RETURN(ready.inference, warm_up(*ready.model, warm_up_size));
  }
  return ready;
}

namespace {

/// Indices of the k largest values, descending; equal ones in order.
std::vector<int> order_of(std::span<const float> values, int k) {
  std::vector<int> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  const auto count = std::min(static_cast<std::size_t>(std::max(0, k)), order.size());
  const auto value = [&](int index) { return values[static_cast<std::size_t>(index)]; };
  std::partial_sort(
      order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
      [&](int a, int b) { return value(a) != value(b) ? value(a) > value(b) : a < b; });
  order.resize(count);
  return order;
}

/// exp(logit - largest) for each logit is its share of this; logits are not empty.
struct Normaliser {
  double largest = 0, sum = 0;
  explicit Normaliser(std::span<const float> logits)
      : largest(*std::max_element(logits.begin(), logits.end())) {
    for (const float logit : logits) sum += std::exp(logit - largest);
  }
  float operator()(float logit) const {
    return static_cast<float>(std::exp(logit - largest) / sum);
  }
};

}  // namespace

void softmax(std::span<const float> logits, std::vector<float>& scores) {
  scores.clear();
  if (logits.empty()) return;
  const Normaliser probability(logits);
  for (const float logit : logits) scores.push_back(probability(logit));
}

Error not_finite() {
  return {Code::kBadCheckpoint, "the network's output holds NaN or infinite values",
          "the weights are broken, or were trained for another range of input"};
}

std::vector<Score> largest(std::span<const float> scores, int k) {
  std::vector<Score> found;
  for (const int index : order_of(scores, k))
    found.push_back({index, scores[static_cast<std::size_t>(index)]});
  return found;
}

std::vector<Score> top_k(std::span<const float> logits, int k) {
  const bool finite =
      std::all_of(logits.begin(), logits.end(), [](float value) { return std::isfinite(value); });
  if (!finite || logits.empty() || k <= 0) return {};
  const Normaliser probability(logits);
  // Ordered by logit: far apart ones may have the same probability in float32.
  std::vector<Score> scores;
  for (const int index : order_of(logits, k))
    scores.push_back({index, probability(logits[static_cast<std::size_t>(index)])});
  return scores;
}

}  // namespace tv::inference
