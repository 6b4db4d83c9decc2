// A fault of another kernel loses the GPU for this process. The model says so, and neither
// hangs nor ends the program. A process of its own: nothing of it can use the GPU
// afterwards.
#include <thread>

#include "elements/inference/engine.hpp"
#include "tests/gpu/gpu.hpp"

using namespace tv;
using namespace tv::gpu;
using namespace tv::inference;

extern "C" int tv_gpu_trap();

int main() {
  need_gpu();
  ModelSpec spec;
  spec.builder = "resnet18";
  spec.device = Device{DeviceKind::kCuda, 0};
  ReadyModel ready = value_of(load_model(spec), "load");
  const std::vector<float> one(std::size_t{3} * 224 * 224, 0.5F);
  static_cast<void>(value_of(ready.model->run(one, {1, 3, 224, 224}), "run before it"));
  require(tv_gpu_trap() != 0, "the kernel did not trap");
  const auto run = ready.model->run(one, {1, 3, 224, 224});
  require(!run, "a lost GPU answered");
  require(run.error().code == Code::kDeviceLost,
          "expected DeviceLost, found " + run.error().text());
  std::printf("%s\n", run.error().text().c_str());
  // Whoever is told makes no further call, not even to free memory.
  static_cast<void>(ready.model.release());
  const auto again = load_model(spec);
  require(!again, "a model was loaded on a lost GPU");
  spec.device = {};
  const auto elsewhere = load_model(spec);  // auto: the CPU, or an error; it returns
  std::printf("auto: %s\n",
              elsewhere ? elsewhere->device.c_str() : elsewhere.error().text().c_str());
  std::printf("lost, and said so\n");
  return 0;
}
