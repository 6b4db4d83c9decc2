// The door to inference: load a model on a device, run it. No LibTorch and no GStreamer in here;
// the backend is a module opened at run time (libtvinference-cpu.so), never closed again.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "elements/inference/picture.hpp"
#include "elements/inference/score.hpp"
#include "model_registry/cancel.hpp"
#include "model_registry/checkpoint/checkpoint.hpp"
#include "model_registry/error.hpp"
#include "model_registry/graph/bind.hpp"
#include "model_registry/hub/hub.hpp"
#include "model_registry/models/models.hpp"

namespace tv::inference {

enum class DeviceKind : std::uint8_t { kCpu, kCuda };
struct Device {
  DeviceKind kind = DeviceKind::kCpu;
  int index = 0;
};
/// "auto" (nullopt), "cpu", "cuda", "cuda:1". Fails: InvalidArgument.
Result<std::optional<Device>> parse_device(std::string_view text);

enum class Executor : std::uint8_t {
  kFused,      ///< folded, fused, channels-last: the default
  kReference,  ///< plain operators in float32, one by one: the parity oracle
};

/// Of the numbers inside a network. Inputs and logits are float32 for who uses it.
enum class Precision : std::uint8_t {
  kAuto,     ///< float32 on the CPU, float16 on a GPU
  kFloat32,  ///< on a GPU without TF32, unless $TV_ALLOW_TF32 is 1
  kFloat16,  ///< GPU alone, as kBFloat16: accumulated in float32
  kBFloat16,
};
/// "auto", "fp32", "fp16", "bf16".
std::string_view precision_name(Precision precision);
/// The precision of that name. Fails: InvalidArgument.
Result<Precision> parse_precision(std::string_view text);

/// What a backend needs to load a model. The tensors must outlive load() only.
struct LoadRequest {
  std::shared_ptr<const graph::Network> network = {};
  /// As graph::bind() gave them; nullptr: random initialisation from `seed`. An int8 network is
  /// then calibrated with random pixels, as torchvision's.
  const graph::BoundTensors* tensors = nullptr;
  std::uint64_t seed = 0;
  Executor executor = Executor::kFused;
  int device_index = 0;
  Precision precision = Precision::kAuto;
  /// Weights::without_values of the entry that the tensors are of: there NaN is no fault.
  std::string_view without_values = {};
  /// Passes to run before kReference (nullptr: none). kFused chooses its own.
  graph::Graph (*passes)(graph::Graph) = nullptr;
  /// Asked between parameters, during load() only.
  CancelCheck cancelled = {};
};

/// A model on a GPU takes frames as they are, and has several batches under way.
class FrameModel {
 public:
  virtual ~FrameModel() = default;
  /// Batches that can be under way beside each other, 2 or more.
  virtual unsigned slots() const = 0;
  /// Starts a batch in a slot that is idle, and returns: its frames are uploaded and preprocessed
  /// while the batch before is in the network. `pictures` must stay until wait_read() has returned,
  /// for plans of the model's side. top_k: how many of the best classes are wanted, 0: all logits.
  /// The model's thread. Fails, with nothing under way: InvalidArgument (a frame that is not its
  /// plan's, another crop size), Device (out of memory), DeviceLost, Cancelled, Unavailable,
  /// Internal.
  virtual Status begin(unsigned slot, std::span<const Picture* const> pictures, unsigned top_k) = 0;
  struct Answer {
    std::vector<float> logits;  ///< all of them, if top_k was 0
    std::vector<Score> top;     ///< else the best ones, best first; empty: NaN or infinite logits
  };
  /// Waits until the slot's pixels have been read. Any thread, one a slot. Fails: DeviceLost.
  virtual Status wait_read(unsigned slot) = 0;
  /// Waits for the answers, one for each picture; the slot is idle then, also when it fails. Any
  /// thread, one a slot. Fails: DeviceLost.
  virtual Result<std::vector<Answer>> end(unsigned slot) = 0;
};

/// A loaded model. One thread at a time, apart from what FrameModel says.
class LoadedModel {
 public:
  virtual ~LoadedModel() = default;
  /// Does what the first run() at a shape would do before its inference, and asks between layers
  /// whether to go on. Fails: as run(), and Cancelled: nothing is prepared then. Without it, run()
  /// does all.
  virtual Status prepare(const Shape& /*shape*/, const CancelCheck& /*cancelled*/) { return {}; }
  /// input: float32 [N,3,H,W] row-major; returns logits, float32 [N,num_classes] row-major. The
  /// first run at a new shape prepares it (weights reordered, kernels chosen) and takes several
  /// times as long. Fails: InvalidArgument (image too small), Device (out of memory), DeviceLost
  /// (no further call can succeed in this process: whoever is told makes none), Unavailable (in a
  /// forked child), Cancelled (the process is exiting), Internal.
  virtual Result<std::vector<float>> run(std::span<const float> input, const Shape& shape) = 0;
  /// Not nullptr: begin() and end() are there, beside run(). Owned by the model.
  virtual FrameModel* frames() { return nullptr; }
  /// The parameters as they are now, named, in state_dict() order. Views own their memory.
  virtual Result<std::vector<std::pair<std::string, TensorView>>> state_dict() = 0;
};

/// A backend module. Thread-safe. Never destroyed.
class Backend {
 public:
  virtual ~Backend() = default;
  /// "cpu: LibTorch 2.11.0, oneDNN 3.x, 2 threads"
  virtual std::string description() const = 0;
  /// Whether models can be loaded on the device of that number. Fails: Unavailable, for instance
  /// naming the versions of driver and runtime that do not fit.
  virtual Status usable(int /*device_index*/) { return {}; }
  /// Fails: BadCheckpoint, Device, DeviceLost, Unavailable, Cancelled, Internal; nothing is left of
  /// the model.
  virtual Result<std::unique_ptr<LoadedModel>> load(const LoadRequest& request) = 0;
};

/// Opens the backend for a device. The first call costs about half a second. Looks for the module
/// in every folder of $TV_BACKEND_PATH (colon-separated; ignored in set-uid programs), beside the
/// library or program that holds this code, and where the build was told to install it.
/// Thread-safe. Fails: Unavailable with the file names tried and the loader's own message, or in a
/// process forked after the backend was opened (LibTorch's threads do not survive a fork).
Result<Backend*> open_backend(DeviceKind kind);

/// Where a model will run.
struct Placement {
  Device device = {};
  Backend* backend = nullptr;
  std::string why_cpu = {};  ///< when nobody asked for the CPU: why it is no GPU; else empty
};
/// The backend of a device; for nullopt the first GPU's where a driver is there and its module
/// finds a GPU, else the CPU's. With TV_ASSUME_GPU=1 the driver is not looked for. `int8`: for an
/// int8 network, whose operators LibTorch has for the CPU alone. Fails: Unsupported (a GPU for
/// int8, half precision on a CPU), DeviceLost, open_backend()'s, Backend::usable()'s.
Result<Placement> place(const std::optional<Device>& device, bool int8 = false,
                        Precision precision = Precision::kAuto);

/// Version of the interface above between the library and its modules; a module of another version
/// is refused.
inline constexpr int kBackendVersion = 4;
/// Exported by a module under the name "tv_backend_open": returns nullptr when `version` is not its
/// own.
using BackendOpenFn = Backend* (*)(int version);

/// Everything an application needs to go from a weights name to logits.
struct ModelSpec {
  const Weights* weights = nullptr;  ///< the entry; nullptr: `builder` with random initialisation
  /// Whose network; empty: the weights' own. Another one is a quantized builder with float weights.
  std::string builder = {};
  /// A local file for the architecture instead of the entry's own; no digest is asked of it.
  std::string weights_file = {};
  /// What that file must have; empty: anything.
  std::string weights_digest = {};
  /// That file, when it has been read; nullptr: load_model() reads it.
  std::shared_ptr<const FileBytes> file = {};
  /// Default: the entry's own; without one, those of weights_file's head, or 1000.
  std::optional<int> num_classes = {};
  /// BuildOptions::image_size, of the builders that take images of one size.
  std::optional<int> image_size = {};
  /// Of a quantized builder without weights: BuildOptions::quantize. An entry says it by itself.
  bool quantize = false;
  std::uint64_t seed = 0;  ///< of random initialisation
  Executor executor = Executor::kFused;
  std::optional<Device> device = {};  ///< nullopt: the best one there is
  Precision precision = Precision::kAuto;
  /// What a builder has built, resnet50({...}): weights, builder, num_classes,
  /// image_size and quantize above are ignored.
  std::optional<Model> model = {};
};

/// A model ready to run, with where its numbers came from.
struct ReadyModel {
  std::unique_ptr<LoadedModel> model;
  std::shared_ptr<const graph::Network> network;
  std::string sha256;        ///< of the weight file; empty for random initialisation
  std::string device;        ///< "cpu", "cuda:0"
  std::string why_cpu = {};  ///< Placement's
  /// Of one more inference after the warm-up; 0 without one.
  std::chrono::nanoseconds inference{0};
};

/// Whether the network takes images of side x side pixels. Costs milliseconds, and reads nothing.
/// Fails: InvalidArgument, naming the sizes that it takes; as get_model().
Status check_input_size(const ModelSpec& spec, int side);

/// build -> fetch (or read) -> parse -> bind -> load, then two inferences at the given input size
/// as warm-up, the second one measured (0 = none). A size that the network does not take is found
/// before anything is read. Blocks; call it off the streaming thread.
/// `fetch.cancel` ends every step of it, within a second and one inference.
Result<ReadyModel> load_model(const ModelSpec& spec, const FetchOptions& fetch = {},
                              int warm_up_size = 0);

/// What to say of logits that are NaN or infinite.
Error not_finite();
/// softmax in float64: scores[i] = exp(logits[i]) / sum, 0..1, as many as there are logits.
void softmax(std::span<const float> logits, std::vector<float>& scores);
/// The k largest scores (at most as many as there are), descending; equal ones in order of index.
void largest(std::span<const float> scores, int k, std::vector<Score>& found);
/// softmax in float64, then the k largest (at most as many as there are), descending; equal scores
/// in order of index. Empty when a logit is NaN or infinite: nothing can be said about such a
/// frame.
std::vector<Score> top_k(std::span<const float> logits, int k);
/// The same in memory that is used again.
void top_k(std::span<const float> logits, int k, std::vector<Score>& found);

}  // namespace tv::inference
