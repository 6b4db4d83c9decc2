#include "elements/inference/backend_cuda/network.hpp"

#include <ATen/core/CachingHostAllocator.h>
#include <ATen/cuda/CUDAGraph.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>

#include <chrono>
#include <mutex>
#include <optional>

#include "elements/inference/backend_cuda/batch_sizes.hpp"
#include "elements/inference/backend_cuda/kernels.hpp"
#include "elements/inference/backend_cuda/tuning.hpp"
#include "elements/inference/backend_torch/guarded.hpp"
#include "elements/preprocess/sticky_error.hpp"

namespace tv::inference {
namespace {

using at::Tensor;

// Batch sizes that stay prepared.
constexpr std::size_t kPreparedSizes = 16;
// Kernels are chosen and workspaces made in the first run, libraries load more in the second.
constexpr int kWarmUps = 3;
constexpr int kRecordings = 3;                        // attempts
constexpr int kHalfChannels = 8, kFloatChannels = 4;  // 16 bytes of the stem's input

/// One model of the process at a time is prepared. While kernels are chosen cuDNN waits for the
/// whole device, which spoils what another thread records; and LibTorch keeps a list of recorded
/// graphs without a lock.
std::recursive_timed_mutex& preparing() {
  static auto* const kMutex = new std::recursive_timed_mutex;
  return *kMutex;
}

DevicePlace place_of(const LoadRequest& request) {
  DevicePlace place{.device =
                        at::Device(at::kCUDA, static_cast<at::DeviceIndex>(request.device_index))};
  switch (request.executor == Executor::kReference ? Precision::kFloat32 : request.precision) {
    case Precision::kAuto:
    case Precision::kFloat16:
      place.type = at::kHalf;
      break;
    case Precision::kBFloat16:
      place.type = at::kBFloat16;
      break;
    case Precision::kFloat32:
      place.type = at::kFloat;
      break;
  }
  place.plain = request.executor == Executor::kReference;
  place.input_channels = tuning().input_channels;
  if (place.input_channels == 0)
    place.input_channels = place.type == at::kFloat ? kFloatChannels : kHalfChannels;
  return place;
}

Tensor make_input(std::int64_t n, std::int64_t side, const DevicePlace& place) {
  return at::zeros({n, place.input_channels, side, side},
                   at::TensorOptions().device(place.device).dtype(place.type))
      .contiguous(at::MemoryFormat::ChannelsLast);
}

}  // namespace

class RecordedLane final : public Lane {
 public:
  RecordedLane(GraphExecutor& executor, std::int64_t n, std::int64_t side, const DevicePlace& place)
      : executor_(executor), input_(make_input(n, side, place)) {}
  ~RecordedLane() override {
    const std::lock_guard alone(preparing());
    graph_.reset();
  }

  const Tensor& input() const override { return input_; }
  const Tensor& logits() const override { return logits_; }
  const RankedScore* answers() const override { return pinned_->as<RankedScore>(); }

  void run() override {
    if (graph_)
      graph_->replay();
    else
      compute();
  }

  /// Once before record(): makes what needs no place in the graph.
  void warm_up() { compute(); }

  /// `pool`: memory that graphs share which never run beside each other. False: it could not be
  /// recorded, for somebody in the process waited for the whole device meanwhile, and run() does
  /// without.
  bool record(at::cuda::MempoolId_t pool) {
    logits_.reset();
    best_.reset();
    graph_.emplace();
    try {
      // Other threads may allocate meanwhile: decoders do.
      graph_->capture_begin(pool, cudaStreamCaptureModeThreadLocal);
      compute();
      graph_->capture_end();
      return true;
    } catch (const c10::OutOfMemoryError&) {
      abandon(pool);
      throw;
    } catch (const c10::AcceleratorError& error) {
      abandon(pool);
      if (is_sticky(error.get_error_code())) throw;
    } catch (const std::exception&) {
      abandon(pool);
    }
    return false;
  }

 private:
  void compute() {
    logits_ = executor_.run(input_);
    const std::int64_t rows = logits_.size(0), words = 2;  // a RankedScore is two
    if (!best_.defined())
      best_ = at::empty({rows, kDeviceTopK, words}, logits_.options().dtype(at::kInt));
    const auto stream = c10::cuda::getCurrentCUDAStream().stream();
    const TopKLaunch launch{.logits = logits_.const_data_ptr<float>(),
                            .answers = static_cast<RankedScore*>(best_.mutable_data_ptr()),
                            .rows = static_cast<std::int32_t>(rows),
                            .classes = static_cast<std::int32_t>(logits_.size(1))};
    C10_CUDA_CHECK(static_cast<cudaError_t>(launch_top_k(launch, stream)));
    if (!pinned_) pinned_.emplace(best_.nbytes());
    C10_CUDA_CHECK(cudaMemcpyAsync(pinned_->as<void>(), best_.const_data_ptr(), best_.nbytes(),
                                   cudaMemcpyDeviceToHost, stream));
  }

  /// A recording that failed is still going on for LibTorch's allocators, which hand out its
  /// memory alone; what has ended already refuses to end.
  void abandon(at::cuda::MempoolId_t pool) {
    const auto quietly = [](auto&& step) {
      try {
        step();
      } catch (const std::exception&) {
      }
    };
    quietly([&] { graph_->capture_end(); });
    quietly(
        [&] { c10::cuda::CUDACachingAllocator::endAllocateToPool(input_.device().index(), pool); });
    quietly([&] { at::getHostAllocator(at::kCUDA)->end_allocate_to_pool(pool); });
    logits_.reset();
    best_.reset();
    quietly([&] { graph_.reset(); });
    static_cast<void>(cudaGetLastError());
  }

  GraphExecutor& executor_;
  const Tensor input_;
  Tensor logits_, best_;
  std::optional<PinnedMemory> pinned_;
  std::optional<at::cuda::CUDAGraph> graph_;
};

namespace {

class Poison {
 public:
  explicit Poison(CudaOps& ops) : ops_(ops) { ops_.set_poisoned(true); }
  ~Poison() { ops_.set_poisoned(false); }
  Poison(const Poison&) = delete;
  Poison& operator=(const Poison&) = delete;

 private:
  CudaOps& ops_;
};

/// Something that differs from pixel to pixel and from channel to channel; without random numbers.
Tensor pattern(const Tensor& like) {
  const auto options = like.options().dtype(at::kFloat);
  const Tensor across = at::arange(like.size(3), options).mul(0.37).sin().view({1, -1});
  const Tensor down = at::arange(like.size(2), options).mul(0.23).cos().view({-1, 1});
  const Tensor channel = at::arange(like.size(1), options).add(1).view({-1, 1, 1});
  return across.mul(down).mul(channel);
}

/// How far two computations of the same may be apart, of the largest logit: a layer that went wrong
/// shows, the rounding of another order does not.
double tolerance(at::ScalarType type) {
  return type == at::kFloat ? 1e-2 : type == at::kHalf ? 5e-2 : 2e-1;
}

}  // namespace

struct CudaNetwork::Prepared {
  Shape shape;
  std::unique_ptr<GraphExecutor> executor;
  std::array<std::unique_ptr<RecordedLane>, kCudaSlots> lanes;
};

CudaNetwork::CudaNetwork(const LoadRequest& request, Parameters parameters,
                         c10::cuda::CUDAStream stream)
    : network_(request.network),
      parameters_(std::move(parameters)),
      place_(place_of(request)),
      stream_(stream) {
  ops_.set_fused(tuning().fused_relu);
  ops_.set_max_pool(tuning().max_pool);
}

CudaNetwork::~CudaNetwork() = default;

Result<std::unique_ptr<GraphExecutor>> CudaNetwork::executor(const Shape& shape,
                                                             const CancelCheck& cancelled) {
  TV_ASSIGN_OR_RETURN(graph::Graph graph, network_->trace(shape));
  graph = device_graph(std::move(graph), place_);
  if (!layers_) {
    TV_ASSIGN_OR_RETURN(layers_, DeviceLayers::make(graph, parameters_, place_, cancelled));
  }
  return make_device_executor(std::move(graph), layers_, parameters_, place_, ops_);
}

Result<std::shared_ptr<Lane>> CudaNetwork::lane(std::size_t n, std::int64_t side, unsigned slot,
                                                const CancelCheck& cancelled) {
  const auto size = static_cast<std::int64_t>(prepared_batch(n));
  const Shape shape = {size, 3, side, side};
  // A lane keeps all that it was prepared with.
  const auto lane_of = [slot](const std::shared_ptr<Prepared>& prepared) {
    return std::shared_ptr<Lane>(prepared, prepared->lanes[slot].get());
  };
  for (auto entry = prepared_.begin(); entry != prepared_.end(); ++entry) {
    if ((*entry)->shape != shape) continue;
    prepared_.splice(prepared_.begin(), prepared_, entry);
    return lane_of(prepared_.front());
  }
  std::unique_lock alone(preparing(), std::defer_lock);
  while (!alone.try_lock_for(std::chrono::milliseconds(50)))
    TV_RETURN_IF_ERROR(check_cancelled(cancelled, "preparing the network"));
  // Memory of graphs that are dropped may be in use by a batch under way.
  stream_.synchronize();
  if (prepared_.size() >= kPreparedSizes) prepared_.pop_back();

  const auto made = std::make_shared<Prepared>();
  made->shape = shape;
  TV_ASSIGN_OR_RETURN(made->executor, executor(shape, cancelled));
  for (auto& lane : made->lanes)
    lane = std::make_unique<RecordedLane>(*made->executor, size, side, place_);
  if (ops_.fused()) prove_fused(*made->lanes.front());
  for (int i = 0; i < kWarmUps; ++i)
    for (auto& lane : made->lanes) {
      TV_RETURN_IF_ERROR(check_cancelled(cancelled, "preparing the network"));
      lane->warm_up();
    }
  stream_.synchronize();
  if (tuning().graphs) {
    // The lanes run one after the other: on one stream.
    auto pool = at::cuda::graph_pool_handle();
    for (auto& lane : made->lanes)
      for (int attempt = 0; attempt < kRecordings && !lane->record(pool); ++attempt)
        pool = at::cuda::graph_pool_handle();
    for (auto& lane : made->lanes) lane->run();  // a graph's first launch uploads it
    stream_.synchronize();
  }
  arm_exit_gate();
  prepared_.push_front(made);
  return lane_of(made);
}

/// Compares what cuDNN's fused convolutions make with what plain ones do. Leaves those switched off
/// that differ.
void CudaNetwork::prove_fused(RecordedLane& lane) {
  Tensor input = lane.input();
  input.copy_(pattern(input));
  ops_.set_fused(false);
  lane.warm_up();
  const Tensor expected = lane.logits().clone();
  const double bound = tolerance(place_.type) * expected.abs().max().item<double>();
  const auto agree = [&] {
    ops_.set_fused(true);
    const Poison poison(ops_);
    lane.warm_up();
    return lane.logits().sub(expected).abs().max().item<double>() <= bound;  // not where it is NaN
  };
  if (!agree()) ops_.avoid_relu_without_residual();
  if (!agree()) ops_.set_fused(false);
  input.zero_();
}

void CudaNetwork::forget() {
  const std::lock_guard alone(preparing());
  settle(stream_.stream());
  prepared_.clear();
  ops_.forget_refusals();
  c10::cuda::CUDACachingAllocator::emptyCache();
}

}  // namespace tv::inference
