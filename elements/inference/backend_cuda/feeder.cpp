#include "elements/inference/backend_cuda/feeder.hpp"

#include <ATen/ops/empty.h>
#include <c10/cuda/CUDAException.h>

#include <algorithm>
#include <string>
#include <vector>

#include "elements/inference/backend_cuda/upload.hpp"
#include "elements/preprocess/preprocess.hpp"
#include "model_registry/transforms/plan.hpp"

namespace tv::inference {
namespace {

// Frame sizes and recipes, of all streams; a set of tables is some ten kilobytes.
constexpr std::size_t kMostPlans = 64;

DeviceType device_type(at::ScalarType type) {
  switch (type) {
    case at::kHalf:
      return DeviceType::kFloat16;
    case at::kBFloat16:
      return DeviceType::kBfloat16;
    default:
      return DeviceType::kFloat32;
  }
}

/// Where image `first` and those behind it go.
DeviceOutput output_from(const at::Tensor& input, std::size_t first) {
  const std::size_t stride = input.nbytes() / static_cast<std::size_t>(input.size(0));
  return {.data = static_cast<std::uint8_t*>(input.mutable_data_ptr()) + first * stride,
          .bytes = input.nbytes() - first * stride,
          .stride = stride,
          .type = device_type(input.scalar_type()),
          .layout = DeviceLayout::kChannelsLast,
          .channels = static_cast<int>(input.size(1))};
}

/// Streams of the same size and recipe have plans of their own, which say the same.
bool same(const Plan& a, const Plan& b) {
  const Transforms &x = a.recipe, &y = b.recipe;
  return a.width == b.width && a.height == b.height && a.backend == b.backend && a.sums == b.sums &&
         x.crop_size == y.crop_size && x.resize_size == y.resize_size &&
         x.interpolation == y.interpolation && x.antialias == y.antialias && x.mean == y.mean &&
         x.std == y.std;
}

}  // namespace

Result<const CudaPreprocessor*> Feeder::preprocessor_of(const std::shared_ptr<const Plan>& plan) {
  for (auto entry = known_.begin(); entry != known_.end(); ++entry) {
    if (entry->plan != plan && !same(*entry->plan, *plan)) continue;
    known_.splice(known_.begin(), known_, entry);
    return known_.front().preprocessor.get();
  }
  TV_ASSIGN_OR_RETURN(auto made, make_cuda_preprocessor(*plan));
  if (known_.size() >= kMostPlans) {
    stream_.synchronize();  // a batch under way may read its tables
    known_.pop_back();
  }
  known_.push_front({plan, std::move(made)});
  return known_.front().preprocessor.get();
}

Result<std::vector<FrameView>> Feeder::upload(unsigned slot,
                                              std::span<const Picture* const> pictures) {
  std::vector<Upload> uploads;
  std::size_t bytes = 0;
  for (const Picture* picture : pictures)
    if (!picture->on_device) {
      uploads.push_back(plan_upload(picture->view, *picture->plan));
      bytes += uploads.back().bytes;
    }
  at::Tensor& staging = staging_[slot];
  if (bytes > 0 && (!staging.defined() || staging.nbytes() < bytes)) {
    staging.reset();
    staging = at::empty({static_cast<std::int64_t>(bytes)},
                        at::TensorOptions().device(stream_.device()).dtype(at::kByte));
  }
  std::vector<FrameView> views;
  std::size_t next = 0, at = 0;
  for (const Picture* picture : pictures) {
    if (picture->on_device) {
      if (picture->written)
        C10_CUDA_CHECK(
            cudaStreamWaitEvent(stream_.stream(), static_cast<cudaEvent_t>(picture->written), 0));
      views.push_back(picture->view);
      continue;
    }
    const Upload& upload = uploads[next++];
    auto* const base = static_cast<std::uint8_t*>(staging.mutable_data_ptr()) + at;
    for (std::size_t p = 0; p < static_cast<std::size_t>(upload.count); ++p) {
      const Upload::Rows& rows = upload.planes[p];
      C10_CUDA_CHECK(cudaMemcpy2DAsync(base + rows.to, rows.to_pitch, rows.from, rows.from_pitch,
                                       rows.bytes, rows.rows, cudaMemcpyHostToDevice,
                                       stream_.stream()));
    }
    views.push_back(upload.view_in(base));
    at += upload.bytes;
  }
  return views;
}

Status Feeder::feed(unsigned slot, std::span<const Picture* const> pictures,
                    const at::Tensor& input) {
  for (const Picture* picture : pictures) {
    if (picture->plan->crop_size != input.size(2))
      return Error{Code::kInvalidArgument,
                   "a picture for a network input of " + std::to_string(picture->plan->crop_size) +
                       " pixels, expected " + std::to_string(input.size(2)),
                   ""};
    TV_RETURN_IF_ERROR(preprocess::check_frame(*picture->plan, picture->view));
  }
  TV_ASSIGN_OR_RETURN(const std::vector<FrameView> views, upload(slot, pictures));
  for (std::size_t first = 0; first < pictures.size();) {
    TV_ASSIGN_OR_RETURN(const CudaPreprocessor* const preprocessor,
                        preprocessor_of(pictures[first]->plan));
    std::size_t end = first + 1;
    while (end < pictures.size() && (pictures[end]->plan == pictures[first]->plan ||
                                     same(*pictures[end]->plan, *pictures[first]->plan)))
      ++end;
    TV_RETURN_IF_ERROR(preprocessor->run(std::span(views).subspan(first, end - first),
                                         output_from(input, first), stream_.stream()));
    first = end;
  }
  return {};
}

void Feeder::forget() {
  stream_.synchronize();
  known_.clear();
  for (at::Tensor& each : staging_) each.reset();
}

}  // namespace tv::inference
