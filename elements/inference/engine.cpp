#include "elements/inference/engine.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "elements/inference/lost_devices.hpp"

namespace tv::inference {
namespace {

constexpr int kMaxDeviceIndex = 1023;
// In the order of enum Precision.
constexpr std::string_view kPrecisionNames[] = {"auto", "fp32", "fp16", "bf16"};
// Of NVIDIA's driver; in the Windows Subsystem for Linux; on Tegra.
constexpr const char* kGpuDevices[] = {"/dev/nvidiactl", "/dev/dxg", "/dev/nvhost-gpu"};

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

Status check_size(const graph::Network& network, int side) {
  Result<graph::Graph> graph = network.trace({1, 3, side, side});
  if (graph) return {};
  Error error = std::move(graph.error());
  error.hint += std::string(error.hint.empty() ? "" : "; ") +
                "with crop-size=0 tvclassify takes the size that the weights are for";
  return error;
}

Result<FileBytes> read_weights(const Weights* weights, const ModelSpec& spec,
                               const FetchOptions& fetch, const CancelCheck& cancelled) {
  if (spec.weights_file.empty()) return fetch_weights(*weights, fetch);
  if (spec.file) return *spec.file;
  TV_ASSIGN_OR_RETURN(FileBytes file, read_file(spec.weights_file, kLargestFile, cancelled));
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

constexpr std::string_view kLoading = "loading the model";

/// Nobody but the file says how many classes there are.
bool file_decides_classes(const ModelSpec& spec) {
  return !spec.model && !spec.weights && !spec.num_classes && !spec.weights_file.empty();
}

/// The model again, if the file is for another number of classes and fits otherwise.
Status take_classes(const Checkpoint& checkpoint, const ModelSpec& spec, Model& model) {
  TV_ASSIGN_OR_RETURN(const auto network, network_of_file(checkpoint, model.network));
  const int classes = graph::compare(checkpoint, *network).other_num_classes;
  if (classes == 0) return {};
  ModelSpec with_classes = spec;
  with_classes.num_classes = classes;
  TV_ASSIGN_OR_RETURN(model, build(with_classes));
  return {};
}

/// LibTorch for GPUs is a third of a gigabyte: where there can be none it is not opened.
Status look_for_gpu() {
  const char* const assumed = secure_getenv("TV_ASSUME_GPU");
  if (assumed && std::string_view(assumed) == "1") return {};
  const char* const visible = secure_getenv("CUDA_VISIBLE_DEVICES");
  if (visible && (*visible == '\0' || std::string_view(visible) == "-1"))
    return Error{Code::kUnavailable, "no GPU: CUDA_VISIBLE_DEVICES hides them all", ""};
  for (const char* device : kGpuDevices)
    if (access(device, F_OK) == 0) return {};
  return Error{Code::kUnavailable, "no GPU: no driver has made " + std::string(kGpuDevices[0]), ""};
}

/// A lost device is not touched any more, not even to look for it.
Result<Backend*> open_usable(const Device& device) {
  if (std::optional<Error> lost = lost_device(device_text(device))) return std::move(*lost);
  TV_ASSIGN_OR_RETURN(Backend* const backend, open_backend(device.kind));
  if (const Status usable = backend->usable(device.index); !usable)
    return usable.error().code == Code::kDeviceLost
               ? lose_device(device_text(device), usable.error())
               : usable.error();
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
Result<std::chrono::nanoseconds> warm_up(LoadedModel& model, int size,
                                         const CancelCheck& cancelled) {
  const Shape shape = {1, 3, size, size};
  TV_RETURN_IF_ERROR(model.prepare(shape, cancelled));
  const std::vector<float> black(static_cast<std::size_t>(size) * static_cast<std::size_t>(size) *
                                 3);
  TV_RETURN_IF_ERROR(check_cancelled(cancelled, kLoading));
  TV_RETURN_IF_ERROR(model.run(black, shape));
  TV_RETURN_IF_ERROR(check_cancelled(cancelled, kLoading));
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
  const Status driver = device ? Status() : look_for_gpu();
  auto backend = driver ? open_usable(chosen.device) : Result<Backend*>(driver.error());
  if (!backend && !device) {
    chosen = {.device = {DeviceKind::kCpu, 0}, .why_cpu = std::move(backend.error().what)};
    backend = open_usable(chosen.device);
  }
  if (!backend) return backend.error();
  chosen.backend = *backend;
  TV_RETURN_IF_ERROR(check_precision(precision, chosen));
  return chosen;
}

Status check_input_size(const ModelSpec& spec, int side) {
  TV_ASSIGN_OR_RETURN(const Model model, build(spec));
  return check_size(*model.network, side);
}

Result<ReadyModel> load_model(const ModelSpec& spec, const FetchOptions& fetch, int warm_up_size) {
  const CancelCheck cancelled = [&fetch] { return fetch.is_cancelled(); };
  TV_ASSIGN_OR_RETURN(Model model, build(spec));
  if (warm_up_size > 0) TV_RETURN_IF_ERROR(check_size(*model.network, warm_up_size));
  // Before the download: without a backend it would be in vain.
  TV_ASSIGN_OR_RETURN(const Placement placement,
                      place(spec.device, model.network->int8(), spec.precision));

  LoadRequest request{
      .network = model.network,
      .tensors = nullptr,
      .seed = spec.seed,
      .executor = spec.executor,
      .device_index = placement.device.index,
      .precision = spec.precision,
      .without_values = model.weights ? model.weights->without_values : std::string_view(),
      .cancelled = cancelled};
  ReadyModel ready{.model = nullptr,
                   .network = model.network,
                   .sha256 = {},
                   .device = device_text(placement.device),
                   .why_cpu = placement.why_cpu};
  graph::BoundTensors tensors;
  std::string path;
  if (model.weights || !spec.weights_file.empty()) {
    TV_RETURN_IF_ERROR(check_cancelled(cancelled, kLoading));
    TV_ASSIGN_OR_RETURN(const FileBytes file, read_weights(model.weights, spec, fetch, cancelled));
    TV_ASSIGN_OR_RETURN(const Checkpoint checkpoint, read_checkpoint(file, cancelled));
    if (file_decides_classes(spec))
      if (Status taken = take_classes(checkpoint, spec, model); !taken)
        return in_file(std::move(taken.error()), file.path);
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
  TV_RETURN_IF_ERROR(check_cancelled(cancelled, kLoading));
  // While the file was read, somebody else may have met its end.
  if (std::optional<Error> lost = lost_device(ready.device)) return std::move(*lost);
  auto loaded = placement.backend->load(request);
  if (!loaded && loaded.error().code == Code::kDeviceLost)
    return lose_device(ready.device, loaded.error());
  if (!loaded) return in_file(std::move(loaded.error()), path);
  ready.model = watch_device(std::move(*loaded), ready.device);
  if (warm_up_size > 0) {
    TV_ASSIGN_OR_RETURN(ready.inference, warm_up(*ready.model, warm_up_size, cancelled));
  }
  return ready;
}

namespace {

/// exp(logit - most) for each logit is its share of this; `most` is the largest of them.
struct Normaliser {
  double most = 0, sum = 0;
  Normaliser(std::span<const float> logits, float largest) : most(largest) {
    for (const float logit : logits) sum += std::exp(logit - most);
  }
  float operator()(float logit) const { return static_cast<float>(std::exp(logit - most) / sum); }
};

}  // namespace

void softmax(std::span<const float> logits, std::vector<float>& scores) {
  scores.clear();
  if (logits.empty()) return;
  const Normaliser probability(logits, *std::max_element(logits.begin(), logits.end()));
  for (const float logit : logits) scores.push_back(probability(logit));
}

Error not_finite() {
  return {Code::kBadCheckpoint, "the network's output holds NaN or infinite values",
          "the weights are broken, or were trained for another range of input"};
}

void largest(std::span<const float> scores, int k, std::vector<Score>& found) {
  const auto better = [](const Score& a, const Score& b) {
    return a.probability != b.probability ? a.probability > b.probability : a.index < b.index;
  };
  const auto score = [&](std::size_t i) { return Score{static_cast<int>(i), scores[i]}; };
  const std::size_t count = std::min(static_cast<std::size_t>(std::max(0, k)), scores.size());
  found.clear();
  if (count == 0) return;
  for (std::size_t i = 0; i < count; ++i) found.push_back(score(i));
  std::make_heap(found.begin(), found.end(), better);  // in front: the worst of them
  for (std::size_t i = count; i < scores.size(); ++i) {
    if (!(scores[i] > found.front().probability)) continue;  // of equal ones the first stays
    std::pop_heap(found.begin(), found.end(), better);
    found.back() = score(i);
    std::push_heap(found.begin(), found.end(), better);
  }
  std::sort_heap(found.begin(), found.end(), better);
}

void top_k(std::span<const float> logits, int k, std::vector<Score>& found) {
  found.clear();
  const bool finite =
      std::all_of(logits.begin(), logits.end(), [](float value) { return std::isfinite(value); });
  if (!finite || logits.empty() || k <= 0) return;
  // Ordered by logit: far apart ones may have the same probability in float32.
  largest(logits, k, found);
  const Normaliser probability(logits, found.front().probability);
  for (Score& score : found) score.probability = probability(score.probability);
}

std::vector<Score> top_k(std::span<const float> logits, int k) {
  std::vector<Score> found;
  top_k(logits, k, found);
  return found;
}

}  // namespace tv::inference
