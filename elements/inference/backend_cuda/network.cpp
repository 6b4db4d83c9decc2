#include "elements/inference/backend_cuda/network.hpp"

#include <ATen/cuda/CUDAGraph.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>

#include <optional>

#include "elements/inference/backend_cuda/batch_sizes.hpp"
#include "elements/inference/backend_cuda/kernels.hpp"
#include "elements/inference/backend_cuda/tuning.hpp"

namespace tv::inference {
namespace {

using at::Tensor;

// Batch sizes that stay prepared.
constexpr std::size_t kPreparedSizes = 6;
// Kernels are chosen and workspaces made in the first run, libraries load more in the second.
constexpr int kWarmUps = 3;
constexpr int kHalfChannels = 8, kFloatChannels = 4;  // 16 bytes of the stem's input

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

class RecordedLane final : public Lane {
 public:
  RecordedLane(GraphExecutor& executor, std::int64_t n, std::int64_t side, const DevicePlace& place)
      : executor_(executor), input_(make_input(n, side, place)) {}

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

  /// `pool`: memory that graphs share which never run beside each other.
  void record(at::cuda::MempoolId_t pool) {
    logits_.reset();
    best_.reset();
    graph_.emplace();
    // Other threads may allocate meanwhile: decoders do.
    graph_->capture_begin(pool, cudaStreamCaptureModeThreadLocal);
    try {
      compute();
    } catch (...) {
      // The stream is left as if nothing had been recorded.
      try {
        graph_->capture_end();
      } catch (...) {
      }
      graph_.reset();
      throw;
    }
    graph_->capture_end();
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

  GraphExecutor& executor_;
  const Tensor input_;
  Tensor logits_, best_;
  std::optional<PinnedMemory> pinned_;
  std::optional<at::cuda::CUDAGraph> graph_;
};

bool all_finite(const Tensor& logits) {
  return logits.sub(logits).eq(0).all().item<bool>();
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
}

CudaNetwork::~CudaNetwork() = default;

Result<std::unique_ptr<GraphExecutor>> CudaNetwork::executor(const Shape& shape) {
  TV_ASSIGN_OR_RETURN(graph::Graph graph, network_->trace(shape));
  graph = device_graph(std::move(graph), place_);
  if (!layers_) layers_ = std::make_shared<const DeviceLayers>(graph, parameters_, place_);
  return make_device_executor(std::move(graph), layers_, parameters_, place_, ops_);
}

Result<std::shared_ptr<Lane>> CudaNetwork::lane(std::size_t n, std::int64_t side, unsigned slot) {
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
  // Memory of graphs that are dropped may be in use by a batch under way.
  stream_.synchronize();
  if (prepared_.size() >= kPreparedSizes) prepared_.pop_back();

  const auto made = std::make_shared<Prepared>();
  made->shape = shape;
  TV_ASSIGN_OR_RETURN(made->executor, executor(shape));
  for (auto& lane : made->lanes)
    lane = std::make_unique<RecordedLane>(*made->executor, size, side, place_);
  if (!ops_.avoids_relu_without_residual()) {
    ops_.set_poisoned(true);
    made->lanes.front()->warm_up();
    ops_.set_poisoned(false);
    if (!all_finite(made->lanes.front()->logits())) ops_.avoid_relu_without_residual();
  }
  for (int i = 0; i < kWarmUps; ++i)
    for (auto& lane : made->lanes) lane->warm_up();
  stream_.synchronize();
  if (tuning().graphs) {
    // The lanes run one after the other: on one stream.
    const auto pool = at::cuda::graph_pool_handle();
    for (auto& lane : made->lanes) lane->record(pool);
  }
  prepared_.push_front(made);
  return lane_of(made);
}

void CudaNetwork::forget() {
  stream_.synchronize();
  prepared_.clear();
  c10::cuda::CUDACachingAllocator::emptyCache();
}

}  // namespace tv::inference
