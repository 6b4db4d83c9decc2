// The module's entry: libtvinference-cpu.so.
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <torch/version.h>

#include <algorithm>
#include <mutex>

#include "elements/inference/backend_cpu/model.hpp"
#include "elements/inference/backend_cpu/warm_up.hpp"
#include "elements/inference/backend_torch/guarded.hpp"

namespace tv::inference {
namespace {

// One image gains nothing from more.
constexpr int kMaxThreads = 16;

class CpuBackend final : public Backend {
 public:
  std::string description() const override { return description_; }

  Result<std::unique_ptr<LoadedModel>> load(const LoadRequest& request) override {
    return load_cpu_model(request);
  }

  // LibTorch's own default is the number of cores that this process may use, or OMP_NUM_THREADS.
  Status start() {
    remember_process();
    return guarded("starting LibTorch", [&]() -> Status {
      at::set_num_threads(std::min(at::get_num_threads(), kMaxThreads));
      description_ = "cpu: LibTorch " TORCH_VERSION ", " + onednn_version() + ", " +
                     std::to_string(at::get_num_threads()) + " threads";
      return run_every_operator();
    });
  }

 private:
  static std::string onednn_version() {
    const std::string text = at::get_mkldnn_version();  // "... v3.10.2 (Git Hash ...)"
    const std::size_t from = text.find(" v");
    if (from == std::string::npos) return "no oneDNN";
    return "oneDNN " + text.substr(from + 2, text.find(' ', from + 2) - from - 2);
  }

  std::string description_ = "cpu: LibTorch " TORCH_VERSION;
};

}  // namespace
}  // namespace tv::inference

extern "C" __attribute__((visibility("default"))) tv::inference::Backend* tv_backend_open(
    int version) {
  using namespace tv::inference;
  if (version != kBackendVersion) return nullptr;
  static CpuBackend* const kBackend = [] {
    auto* const backend = new CpuBackend;  // leaked: never destroyed
    // What went wrong here goes wrong again, and is reported, when a model is loaded.
    static_cast<void>(backend->start());
    return backend;
  }();
  return kBackend;
}
