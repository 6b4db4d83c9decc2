// The module's entry: libtvinference-cuda.so.
#include <torch/version.h>

#include "elements/inference/backend_cuda/device.hpp"
#include "elements/inference/backend_cuda/model.hpp"
#include "elements/inference/backend_torch/guarded.hpp"

namespace tv::inference {
namespace {

class CudaBackend final : public Backend {
 public:
  std::string description() const override {
    return "cuda: LibTorch " TORCH_VERSION ", " + cuda_versions();
  }
  Status usable(int device_index) override {
    return guarded("looking for a GPU", [&] { return usable_device(device_index); });
  }
  Result<std::unique_ptr<LoadedModel>> load(const LoadRequest& request) override {
    TV_RETURN_IF_ERROR(usable(request.device_index));
    return load_cuda_model(request);
  }
};

}  // namespace
}  // namespace tv::inference

extern "C" __attribute__((visibility("default"))) tv::inference::Backend* tv_backend_open(
    int version) {
  using namespace tv::inference;
  if (version != kBackendVersion) return nullptr;
  remember_process();
  static auto* const kBackend = new CudaBackend;  // leaked: never destroyed
  return kBackend;
}
