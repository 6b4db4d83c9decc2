#include "elements/inference/backend_cuda/model.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/ops/from_blob.h>
#include <c10/cuda/CUDAGuard.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <memory>
#include <numeric>
#include <string_view>
#include <utility>

#include "elements/inference/backend_cuda/feeder.hpp"
#include "elements/inference/backend_cuda/network.hpp"
#include "elements/inference/backend_cuda/streams.hpp"
#include "elements/inference/backend_torch/guarded.hpp"
#include "elements/inference/backend_torch/random_init.hpp"

namespace tv::inference {
namespace {

/// Everything that holds device memory: freed inside guarded() alone, or not at all.
struct State {
  State(const LoadRequest& request, Parameters parameters, c10::DeviceIndex device)
      : network(request, std::move(parameters), lease_stream(device, false)),
        feeder(lease_stream(device, true)) {}  // its kernels are short, and a batch waits for them
  ~State() {
    settle();
    return_stream(network.stream(), false);
    return_stream(feeder.stream(), true);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  /// Waits for all that is under way.
  void settle() const {
    inference::settle(feeder.stream().stream());
    inference::settle(network.stream().stream());
  }

  CudaNetwork network;
  Feeder feeder;
};

/// One batch under way. Begun on the model's thread, ended on any: the batcher hands it over.
struct Slot {
  void forget() {
    read.reset();
    done.reset();
    lane.reset();
    logits.reset();
    logits_bytes = 0;
  }

  std::optional<Event> read, done;  // made with the first batch: on the model's device
  std::shared_ptr<Lane> lane;
  std::size_t pictures = 0;
  std::int64_t classes = 0;
  unsigned top_k = 0;  // 0: all logits
  std::optional<PinnedMemory> logits;
  std::size_t logits_bytes = 0;
};

class CudaModel final : public LoadedModel, public FrameModel {
 public:
  CudaModel(const LoadRequest& request, std::unique_ptr<State> state)
      : network_(request.network),
        device_(static_cast<c10::DeviceIndex>(request.device_index)),
        state_(std::move(state)) {}

  ~CudaModel() override {
    const Status freed = guarded("closing a model", [&]() -> Status {
      const c10::cuda::CUDAGuard device(device_);
      state_.reset();
      for (Slot& slot : *slots_) slot.forget();
      return {};
    });
    if (freed) return;
    static_cast<void>(state_.release());  // LibTorch is going away: leave it the memory
    static_cast<void>(slots_.release());
  }

  FrameModel* frames() override { return this; }
  unsigned slots() const override { return kCudaSlots; }

  Status prepare(const Shape& shape, const CancelCheck& cancelled) override {
    return on_device("preparing " + network_->builder(), [&]() -> Status {
      TV_RETURN_IF_ERROR(
          state_->network.lane(static_cast<std::size_t>(shape[0]), shape[2], 0, cancelled));
      arm_exit_gate();
      return {};
    });
  }

  Result<std::vector<float>> run(std::span<const float> input, const Shape& shape) override {
    return on_device("running " + network_->builder(), [&]() -> Result<std::vector<float>> {
      TV_RETURN_IF_ERROR(check_input(input, shape));
      // from_blob wants a mutable pointer; it is read alone.
      const at::Tensor x = at::from_blob(const_cast<float*>(input.data()), shape, at::kFloat);
      const auto n = static_cast<std::size_t>(shape[0]);
      TV_ASSIGN_OR_RETURN(const std::shared_ptr<Lane> lane, state_->network.lane(n, shape[2], 0));
      constexpr std::int64_t kColors = 3;
      lane->input().narrow(0, 0, shape[0]).narrow(1, 0, kColors).copy_(x);
      lane->run();
      const at::Tensor logits = lane->logits().narrow(0, 0, shape[0]).to(at::kCPU);
      if (!std::exchange(has_run_, true)) arm_exit_gate();
      const float* const data = logits.const_data_ptr<float>();
      return std::vector<float>(data, data + logits.numel());
    });
  }

  Status begin(unsigned index, std::span<const Picture* const> pictures, unsigned top_k) override {
    return on_device("running " + network_->builder(), [&]() -> Status {
      Slot& slot = (*slots_)[index];
      State& state = *state_;
      const std::int64_t side = pictures.front()->plan->crop_size;
      TV_ASSIGN_OR_RETURN(slot.lane, state.network.lane(pictures.size(), side, index));
      if (!slot.read) slot.read.emplace();
      if (!slot.done) slot.done.emplace();
      {
        const c10::cuda::CUDAStreamGuard feeding(state.feeder.stream());
        TV_RETURN_IF_ERROR(state.feeder.feed(index, pictures, slot.lane->input()));
      }
      slot.read->record(state.feeder.stream().stream());
      slot.read->block(state.network.stream().stream());
      slot.lane->run();
      slot.pictures = pictures.size();
      slot.classes = slot.lane->logits().size(1);
      slot.top_k = top_k <= static_cast<unsigned>(kDeviceTopK) ? top_k : 0;
      if (slot.top_k == 0) fetch_logits(slot);
      slot.done->record(state.network.stream().stream());
      ++under_way_;
      if (!std::exchange(has_begun_, true)) arm_exit_gate();
      return {};
    });
  }

  Status wait_read(unsigned index) override {
    const std::string doing = "preprocessing frames on the GPU";
    Session session(doing);
    if (!session) return session.error();
    static_cast<void>(cudaSetDevice(device_));
    return cuda_status((*slots_)[index].read->wait(), doing);
  }

  Result<std::vector<Answer>> end(unsigned index) override {
    const Slot& slot = (*slots_)[index];
    Session session("running " + network_->builder());
    if (!session) return session.error();
    static_cast<void>(cudaSetDevice(device_));
    const Status done = cuda_status(slot.done->wait(), "running " + network_->builder());
    auto answers = done ? Result<std::vector<Answer>>(answers_of(slot)) : done.error();
    --under_way_;
    return answers;
  }

  Result<std::vector<std::pair<std::string, TensorView>>> state_dict() override {
    return guarded("reading the parameters of " + network_->builder(),
                   [&]() -> Result<std::vector<std::pair<std::string, TensorView>>> {
                     return parameter_views(*network_, state_->network.parameters());
                   });
  }

 private:
  static std::vector<Answer> answers_of(const Slot& slot) {
    std::vector<Answer> answers(slot.pictures);
    for (std::size_t i = 0; i < answers.size(); ++i) {
      if (slot.top_k == 0) {
        const float* const row =
            slot.logits->as<float>() + static_cast<std::int64_t>(i) * slot.classes;
        answers[i].logits.assign(row, row + slot.classes);
        continue;
      }
      const RankedScore* const best = slot.lane->answers() + i * kDeviceTopK;
      for (unsigned k = 0; k < slot.top_k && best[k].index >= 0; ++k)
        answers[i].top.push_back({best[k].index, best[k].probability});
    }
    return answers;
  }

  /// On the model's GPU and stream; once more with all memory that can be had, where it lacks.
  template <typename F>
  std::invoke_result_t<F> on_device(const std::string& doing, F&& body) {
    const auto attempt = [&]() -> std::invoke_result_t<F> {
      return guarded(doing, [&] {
        const c10::cuda::CUDAGuard device(device_);
        const c10::cuda::CUDAStreamGuard stream(state_->network.stream());
        return body();
      });
    };
    auto done = attempt();
    if (!done) settle_failure(done.error());
    // What a batch under way uses stays: without room beside it this one waits for its end.
    if (done || !is_out_of_memory(done.error()) || under_way_ > 0) return done;
    const Status freed = guarded(doing, [&]() -> Status {
      const c10::cuda::CUDAGuard device(device_);
      for (Slot& slot : *slots_) slot.lane.reset();
      state_->feeder.forget();
      state_->network.forget();
      return {};
    });
    if (!freed) return done;
    done = attempt();
    if (!done) settle_failure(done.error());
    return done;
  }

  /// What a call had begun before it failed still reads the frames, which their owner gets back.
  void settle_failure(const Error& error) {
    if (error.code == Code::kDeviceLost || error.code == Code::kCancelled ||
        error.code == Code::kUnavailable)
      return;
    static_cast<void>(guarded("waiting for the GPU", [&]() -> Status {
      state_->settle();
      return {};
    }));
  }

  Status check_input(std::span<const float> input, const Shape& shape) const {
    const std::int64_t wanted =
        std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
    if (shape.size() == 4 && shape[0] > 0 && shape[1] == 3 && shape[2] == shape[3] &&
        static_cast<std::int64_t>(input.size()) == wanted)
      return {};
    return Error{Code::kInvalidArgument,
                 network_->builder() + ": input of " + std::to_string(input.size()) +
                     " numbers for shape " + shape_text(shape),
                 "expected [N, 3, S, S] and as many numbers"};
  }

  static void fetch_logits(Slot& slot) {
    const at::Tensor rows =
        slot.lane->logits().narrow(0, 0, static_cast<std::int64_t>(slot.pictures));
    if (slot.logits_bytes < rows.nbytes()) {
      slot.logits.reset();
      slot.logits_bytes = 0;
      slot.logits.emplace(rows.nbytes());
      slot.logits_bytes = rows.nbytes();
    }
    C10_CUDA_CHECK(cudaMemcpyAsync(slot.logits->as<void>(), rows.const_data_ptr(), rows.nbytes(),
                                   cudaMemcpyDeviceToHost,
                                   c10::cuda::getCurrentCUDAStream().stream()));
  }

  const std::shared_ptr<const graph::Network> network_;
  const c10::DeviceIndex device_;
  std::unique_ptr<State> state_;
  std::unique_ptr<std::array<Slot, kCudaSlots>> slots_ =
      std::make_unique<std::array<Slot, kCudaSlots>>();
  bool has_run_ = false, has_begun_ = false;  // a first use of operators
  std::atomic<unsigned> under_way_{0};        // slots that have begun and not ended
};

/// Of the whole process; Python's defaults are others.
void set_arithmetic() {
  const char* const text = secure_getenv("TV_ALLOW_TF32");
  const bool tf32 = text && std::string_view(text) == "1";
  at::globalContext().setAllowTF32CuDNN(tf32);
  at::globalContext().setAllowTF32CuBLAS(tf32);
  at::globalContext().setBenchmarkCuDNN(true);  // shapes are few and come again
  // Sums of half precision in float32, also those of parts.
  at::globalContext().setAllowFP16ReductionCuBLAS(false);
  at::globalContext().setAllowBF16ReductionCuBLAS(false);
  // Its plans take long to make for each shape; the other kernels are as exact.
  at::globalContext().setSDPUseCuDNN(false);
}

Result<Parameters> parameters_of(const LoadRequest& request) {
  const graph::Network& network = *request.network;
  if (request.tensors)
    return bound_parameters(network, *request.tensors, request.without_values, request.cancelled);
  return random_parameters(network, at::detail::createCPUGenerator(request.seed),
                           request.cancelled);
}

}  // namespace

Result<std::unique_ptr<LoadedModel>> load_cuda_model(const LoadRequest& request) {
  using Loaded = std::unique_ptr<LoadedModel>;
  if (request.network->int8())
    return Error{Code::kUnsupported, request.network->builder() + " is int8, which runs on the CPU",
                 "set device=cpu"};
  return guarded("loading " + request.network->builder(), [&]() -> Result<Loaded> {
    TV_ASSIGN_OR_RETURN(Parameters parameters, parameters_of(request));
    const auto device = static_cast<c10::DeviceIndex>(request.device_index);
    const c10::cuda::CUDAGuard guard(device);
    set_arithmetic();
    auto state = std::make_unique<State>(request, std::move(parameters), device);
    arm_exit_gate();
    return Loaded(std::make_unique<CudaModel>(request, std::move(state)));
  });
}

}  // namespace tv::inference
